"""Makes sure, before any data moves, that all ranks mean the same parameter server."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np

from allred.communicator import Communicator
from allred.errors import MismatchError

Description = dict[str, Any]  # by argument, what JSON can hold


def agree(comm: Communicator, description: Description) -> None:
    """Compares the ranks' descriptions. Collective over the ranks of `comm`.

    Raises:
        MismatchError: on all ranks: they differ. Says in which argument, and what two ranks gave.
    """
    texts = [json.dumps(value) for value in description.values()]
    digests = np.array([list(hashlib.sha256(text.encode()).digest()) for text in texts], np.uint8)
    all_digests = comm.all_gather(digests)
    for idx, (argument, text) in enumerate(zip(description, texts, strict=True)):
        others = [rank for rank in range(comm.size) if (all_digests[rank, idx] != all_digests[0, idx]).any()]
        if others:
            theirs = _gather_texts(comm, text)
            values = json.loads(theirs[0]), json.loads(theirs[others[0]])
            first, second = map(str, values)
            if isinstance(values[0], list) and isinstance(values[1], list):
                first, second = _differing(*values)
            raise MismatchError(
                f"{argument} must be the same on all ranks: rank 0 gave {first}, rank {others[0]} {second}",
                rank=others[0],
                operation="ParameterServer",
            )


def _gather_texts(comm: Communicator, text: str) -> list[str]:
    encoded = text.encode()
    lengths = comm.all_gather(np.array([len(encoded)], np.int64))[:, 0]
    padded = np.zeros(int(lengths.max()), np.uint8)
    padded[: len(encoded)] = np.frombuffer(encoded, np.uint8)
    gathered = comm.all_gather(padded)
    return [gathered[rank, : lengths[rank]].tobytes().decode() for rank in range(comm.size)]


def _differing(first: list[Any], second: list[Any]) -> tuple[str, str]:
    """Of two lists what only one of them has: of models, thousands of parameters may be alike."""
    only_first = [item for item in first if item not in second]
    only_second = [item for item in second if item not in first]
    return tuple(", ".join(map(str, only[:2])) if only else "no such" for only in (only_first, only_second))  # type: ignore[return-value]
