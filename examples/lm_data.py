"""The text: the source of the installed Python standard library, as bytes, split by file into train and held-out."""

from __future__ import annotations

import hashlib
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

SKIPPED_FOLDERS = {"site-packages", "dist-packages", "test", "tests", "idle_test", "pydoc_data"}
HELD_OUT_SHARE = 0.1


def source_files() -> Iterator[tuple[str, Path]]:
    """Every module of the standard library in a fixed order, with its path relative to the library."""
    library = Path(sysconfig.get_path("stdlib"))
    for path in sorted(library.rglob("*.py")):
        relative = path.relative_to(library)
        if SKIPPED_FOLDERS.isdisjoint(relative.parts):
            yield relative.as_posix(), path


def is_held_out(name: str) -> bool:
    """Decided by the name alone, so that it is the same on every rank, in every run and for most Python versions."""
    return hashlib.sha256(name.encode()).digest()[0] < HELD_OUT_SHARE * 256


def load_text() -> tuple[Tensor, Tensor]:
    """The train and the held-out text, each a uint8 tensor."""
    train, held_out = bytearray(), bytearray()
    for name, path in source_files():
        (held_out if is_held_out(name) else train).extend(path.read_bytes())
    if not train or not held_out:
        raise RuntimeError(f"no Python source to train on in {sysconfig.get_path('stdlib')}")
    return torch.frombuffer(train, dtype=torch.uint8), torch.frombuffer(held_out, dtype=torch.uint8)


def windows(text: Tensor, starts: Tensor, context: int) -> tuple[Tensor, Tensor]:
    """The tokens of the windows that begin at `starts` and, for each token, the one that follows it."""
    rows = text[starts[:, None] + torch.arange(context + 1)].long()
    return rows[:, :-1], rows[:, 1:]


def random_windows(text: Tensor, count: int, context: int, seed: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """`count` windows anywhere in the text, a function of the seed alone: nothing else to save for a resumed run."""
    starts = np.random.default_rng(seed).integers(0, len(text) - context, size=count)
    return windows(text, torch.from_numpy(starts), context)


def even_windows(text: Tensor, count: int, context: int) -> Tensor:
    """Where `count` windows start that lie evenly over the text."""
    return torch.linspace(0, len(text) - context - 1, count, dtype=torch.float64).long()


def share_of(text: Tensor, rank: int, size: int) -> Tensor:
    """One rank's part of the text; the parts are disjoint."""
    return text.tensor_split(size)[rank]
