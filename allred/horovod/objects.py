"""Python objects between ranks, pickled."""

from __future__ import annotations

import pickle
from typing import Any

import torch

from allred.horovod.allgather import allgather
from allred.horovod.broadcast import broadcast_
from allred.horovod.process_sets import ProcessSet, global_process_set


def broadcast_object(
    obj: Any = None, root_rank: int = 0, name: str | None = None, process_set: ProcessSet = global_process_set
) -> Any:
    """The root's object.

    Args:
        obj: on the root, whatever can be pickled; of no meaning on the others.
        root_rank: the rank of the job whose object it is.
        name: as for ``allreduce``.
        process_set: the ranks that take part, of which the root is one.

    Raises:
        InvalidArgumentError: `root_rank` is not in the process set.
        MismatchError: the ranks called different things.
    """
    is_root = process_set.place_of(root_rank) == process_set.rank()
    with process_set.calls.refusing(1):
        pickled = _bytes_of(obj) if is_root else torch.empty(0, dtype=torch.uint8)
    length = broadcast_(torch.tensor([pickled.numel()]), root_rank, name, process_set)
    content = pickled if is_root else torch.empty(int(length), dtype=torch.uint8)
    broadcast_(content, root_rank, name, process_set)
    return obj if is_root else pickle.loads(content.numpy())


def allgather_object(obj: Any, name: str | None = None, process_set: ProcessSet = global_process_set) -> list[Any]:
    """Every rank's object, in rank order.

    Args:
        obj: whatever can be pickled.
        name: as for ``allreduce``.
        process_set: the ranks that take part.

    Raises:
        MismatchError: the ranks called different things.
    """
    with process_set.calls.refusing(1):
        pickled = _bytes_of(obj)
    lengths = allgather(torch.tensor([pickled.numel()]), name, process_set)
    contents = allgather(pickled, name, process_set).split(lengths.tolist())
    return [pickle.loads(content.numpy()) for content in contents]


def _bytes_of(obj: Any) -> torch.Tensor:
    return torch.frombuffer(bytearray(pickle.dumps(obj, pickle.HIGHEST_PROTOCOL)), dtype=torch.uint8)
