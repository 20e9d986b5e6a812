"""Calls that have one order on all ranks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from allred import Communicator, Work
from allred.errors import InvalidArgumentError, UnsupportedError
from allred.horovod.roll_call import ALL_REDUCE, Entry, RollCall, entry_for, is_known


class Lane:
    """A communicator on which a roll call goes ahead of each call.

    Owned by its process set. Not thread-safe: calls from several threads would have no order.

    Attributes:
        communicator: what carries the calls.
        num_calls: how many this rank has made since all last joined.
    """

    def __init__(self, communicator: Communicator) -> None:
        self.communicator = communicator
        self.num_calls = 0
        self._num_owners = 0

    def new_owner(self) -> int:
        """A number by which calls of one owner, the same on all ranks, are told from those of others."""
        self._num_owners += 1
        return self._num_owners

    def announce(self, entry: Entry) -> list[int]:
        """Waits until all ranks are about to make this call; returns the length that each of them calls with.

        Raises:
            MismatchError: they are about to call different things.
            UnsupportedError: a rank has joined.
        """
        self.num_calls += 1
        return RollCall(self.communicator, entry).check()

    def all_reduce(
        self,
        output: torch.Tensor,
        source: torch.Tensor,
        op: str,
        scale: float,
        name: str | None,
        async_op: bool,
    ) -> tuple[RollCall, Work | None]:
        """Starts an AllReduce from `source` into `output`, which may be one tensor, right behind its roll call.

        A rank need not know what the roll call says, so the call is under way when this returns. Waiting for the
        roll call and for the work, and checking the former, is up to the caller.
        """
        self.num_calls += 1
        roll = RollCall(self.communicator, entry_for(ALL_REDUCE, output, op, name), async_op=async_op)
        if source is output:
            return roll, self.communicator.all_reduce(output, op, scale=scale, async_op=async_op)  # type: ignore[call-overload]
        work = self.communicator.all_reduce_into(output, source, op, scale=scale, async_op=async_op)  # type: ignore[call-overload]
        return roll, work

    @contextmanager
    def refusing(self, num_calls: int) -> Iterator[None]:
        """What raises here keeps this rank from making a call, and so many exchanges: its peers get the reason."""
        try:
            yield
        except Exception as error:
            for _ in range(num_calls):
                self.communicator._refuse(str(error))
            raise


def checked(tensor: torch.Tensor, caller: str, *, in_place: bool = False) -> torch.Tensor:
    """The tensor's memory, contiguous and without a graph: its own if it is in place, else its own or a copy.

    Raises:
        InvalidArgumentError: it is no tensor, or is to be written to and is not contiguous.
        UnsupportedError: it is not in CPU memory, is sparse, or has a dtype that collectives do not take.
    """
    if not isinstance(tensor, torch.Tensor):
        raise InvalidArgumentError(f"{caller}: tensor={tensor!r} is {type(tensor).__name__}, expected a torch.Tensor")
    if tensor.device.type != "cpu":
        raise UnsupportedError(f"{caller}: tensor is on {tensor.device}, and allred moves CPU memory: use tensor.cpu()")
    if tensor.layout != torch.strided:
        raise UnsupportedError(f"{caller}: tensor has layout {tensor.layout}, expected a dense tensor")
    if not is_known(tensor.dtype):
        raise UnsupportedError(f"{caller}: tensor has dtype {tensor.dtype}, which collectives do not take")
    if in_place and (not tensor.is_contiguous() or tensor.is_conj() or tensor.is_neg()):
        raise InvalidArgumentError(
            f"{caller}: tensor has strides {tensor.stride()}, or is a conjugate or negative view; expected a "
            "contiguous tensor, which can be written to"
        )
    return tensor.detach().resolve_conj().resolve_neg().contiguous()
