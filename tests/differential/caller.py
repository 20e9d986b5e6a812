"""One rank of a group about to make one call on one of the two backends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
import torch.distributed as dist
from differential import inputs, kinds
from differential.program import Call, Shape

OUTPUT = 1000  # above the slots of inputs, so that outputs have layouts of their own


@dataclass
class Issued:
    """A call that was made: what to wait for, and what then holds its results."""

    works: list[Any] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)

    def results(self) -> list[Any]:
        """Waits, and copies: what is written later is no result."""
        for work in self.works:
            work.wait()
        return [_copy(output) for output in self.outputs]


def _copy(output: Any) -> Any:
    if not isinstance(output, torch.Tensor):
        return output
    return output.to_dense() if output.is_sparse else output.clone()


@dataclass(frozen=True)
class Caller:
    """What a call needs to know, and makes the tensors for it. Ranks are those of the group unless said otherwise."""

    api: Any  # torch.distributed, or what stands in for it
    group: dist.ProcessGroup
    ranks: tuple[int, ...]  # of the group's members in the world
    rank: int
    call: Call
    seed: int
    step: int
    for_gloo: bool

    @property
    def size(self) -> int:
        return len(self.ranks)

    @property
    def root(self) -> int:
        """In the world."""
        return self.ranks[self.call.root]

    @property
    def is_root(self) -> bool:
        return self.rank == self.call.root

    @property
    def dtype(self) -> torch.dtype:
        return getattr(torch, self.call.dtype)

    @property
    def op(self) -> Any:
        return getattr(dist.ReduceOp, self.call.op.upper())

    @property
    def how(self) -> dict[str, Any]:
        return {"group": self.group, "async_op": self.call.asynchronous}

    def key(self, slot: int = 0) -> inputs.Key:
        return self.seed, self.step, self.rank, slot

    def bits(self, shape: Shape, slot: int = 0) -> torch.Tensor:
        return self.place(inputs.bits(shape, self.dtype, self.key(slot)), slot)

    def operand(self, shape: Shape, slot: int = 0) -> torch.Tensor:
        return self.place(inputs.operands(shape, self.dtype, self.call.op, self.key(slot)), slot)

    def blank(self, shape: Shape, slot: int = 0) -> torch.Tensor:
        """For an output: zeros, which show what a call left out."""
        return self.place(torch.zeros(shape, dtype=self.dtype), OUTPUT + slot)

    def place(self, tensor: torch.Tensor, slot: int) -> torch.Tensor:
        """Gloo is wrong for tensors that are not contiguous, so it always gets such as are."""
        return inputs.laid_out(tensor, self.key(slot)) if self.call.strided and not self.for_gloo else tensor

    def movable(self, tensor: torch.Tensor) -> torch.Tensor:
        """What to hand to a call that only moves bytes; Gloo gets them as bytes if it does not know the dtype."""
        return (
            tensor.unsqueeze(-1).view(torch.uint8) if self.for_gloo and self.call.dtype in kinds.ONLY_MOVED else tensor
        )

    def blocks(self, tensor: torch.Tensor) -> torch.Tensor:
        """What to hand to a call on one block a rank in one tensor. Gloo knows no stacked blocks: it gets a row."""
        return tensor.view(-1) if self.for_gloo else tensor
