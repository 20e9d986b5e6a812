"""Tensors in symmetric memory: memory of one rank that all ranks of its process group have mapped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from allred.backend import backend_of

if TYPE_CHECKING:
    import torch
    from torch.distributed import ProcessGroup


@contextmanager
def symmetric_memory(group: ProcessGroup | None = None) -> Iterator[None]:
    """A context in which whatever torch allocates on the CPU is symmetric memory, in Python and in C++.

    Concerns the thread that enters it, and no other. Contexts nest. The tensors may outlive the context and the group.
    An allocation takes whole pages of 4 KiB and a system call: make in the context what collectives work on, such as a
    model or its gradients, and compute outside. Also a decorator.

    Args:
        group: a process group whose backend for CPU is allred; by default the default group.

    Raises:
        ValueError: the group's backend is not allred.
    """
    backend = backend_of(group, "symmetric_memory")
    backend._enter_memory_scope()
    try:
        yield
    finally:
        backend._leave_memory_scope()


def empty(
    *size: int | Sequence[int],
    dtype: torch.dtype | None = None,
    group: ProcessGroup | None = None,
    requires_grad: bool = False,
    memory_format: torch.memory_format | None = None,
) -> torch.Tensor:
    """``torch.empty`` on the CPU, in symmetric memory.

    Args:
        *size: integers, or one sequence of them.
        dtype: by default torch's default dtype.
        group: a process group whose backend for CPU is allred; by default the default group.
        requires_grad: as for ``torch.empty``.
        memory_format: as for ``torch.empty``, by default contiguous.

    Raises:
        ValueError: the group's backend is not allred.
        DistBackendError: there is not so much memory.
    """
    import torch

    options = {"dtype": dtype, "requires_grad": requires_grad, "memory_format": memory_format, "device": "cpu"}
    with symmetric_memory(group):
        return torch.empty(*size, **options)
