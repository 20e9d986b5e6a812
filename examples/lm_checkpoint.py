"""Checkpoints: written whole or not at all, and compared with the live parameters by checksum."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor


def checksum(state: dict[str, Tensor]) -> bytes:
    """SHA-256 of the bytes of all parameters."""
    digest = hashlib.sha256()
    for tensor in state.values():
        digest.update(tensor.contiguous().view(torch.uint8).numpy())
    return digest.digest()


def save(path: Path, **state: Any) -> None:
    """Replaces the file only when the new one is complete: a run killed while it saves loses nothing."""
    partial = path.with_suffix(".partial" + path.suffix)
    torch.save(state, partial)
    partial.replace(path)


def load(path: Path) -> dict[str, Any]:
    return torch.load(path, map_location="cpu", weights_only=True)
