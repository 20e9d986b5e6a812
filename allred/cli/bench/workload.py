"""The buffers of one collective at one size, what is put into them, and what they must hold after a call."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from allred.cli.bench import elements
from allred.cli.bench.elements import Array, ElementType
from allred.cli.bench.plan import Plan

# Repeating one of these in place on its own result changes nothing.
_IDEMPOTENT_OPS = ("min", "max", "band", "bor")
# Where the input has a part for each rank, and where the output has one from each.
_SENDS_PARTS = ("reduce_scatter", "scatter", "all_to_all")
_RECEIVES_PARTS = ("all_gather", "gather", "all_to_all")
_ROOT_RECEIVES = ("reduce", "gather")

Allocate = Callable[[int, ElementType], Array]


class Buffers:
    """Memory that the workloads of one size share, whatever their placement: there may be little of it. Owns it."""

    def __init__(self, allocate: Allocate = elements.allocate) -> None:
        self._allocate = allocate
        self._arrays: dict[str, Array] = {}

    def get(self, name: str, count: int, element: ElementType) -> Array:
        """The buffer of that name, allocated when first asked for, and always asked for with the same count."""
        if name not in self._arrays:
            self._arrays[name] = self._allocate(count, element) if count else np.empty(0, element.storage)
        return self._arrays[name]


class Workload:
    """One rank's data, which libraries use in turn. Not thread-safe; does not block.

    In place, as in nccl-tests: of a collective whose buffers differ in size, the smaller is this rank's part of the
    larger; of another, input and output are one array.

    Attributes:
        plan: the run this belongs to, with the root and the op.
        element: type of the elements.
        rank: of this process.
        peer: the rank with which this one is paired in send_recv.
        in_place: whether input and output share memory.
        count: elements of a rank's part: of the message, or of the smaller buffer.
        bytes: what is reported as size.
        input, output: the arrays. On ranks other than the root, the output of a reduce or a gather is empty, and so is
            the input of a scatter.
    """

    def __init__(self, plan: Plan, size: int, rank: int, *, in_place: bool, buffers: Buffers | None = None) -> None:
        self.plan = plan
        self.element = plan.element
        self.rank = rank
        self.peer = rank ^ 1
        self.in_place = in_place
        self.count = plan.count(size)
        self.bytes = plan.bytes(size)
        self.input, self.output = self._place(buffers or Buffers())
        # For each stretch of the output that must hold something: its beginning, its end, and the data from an offset.
        self._expected: list[tuple[slice, Array, int]] = []

    def fill(self, seed: int) -> None:
        """Puts fresh data in for one call. The same seed on all ranks."""
        elements.write(self.input, self._contribution(self.rank, seed))
        self._expected = self._results(seed)

    def fill_repeatable(self, seed: int) -> None:
        """Puts data in that any number of calls, one or more, turn into the same result. The same seed on all ranks."""
        self.fill(seed)
        if self._is_repeatable():
            return
        if self.plan.collective == "all_to_all":  # blocks that are all alike may change places
            same = self._contribution(self.plan.root, seed)
            for block in self._blocks():
                elements.write(self.input[block], same)
        else:
            same = self.element.encode(elements.identity(self.plan.op))
            elements.write(self.input, same)
        self._expected = [(stretch, same, 0) for stretch, _, _ in self._expected]

    def count_wrong(self) -> int:
        """How many elements of this rank's output are not what the calls since the last fill must have left."""
        return sum(
            elements.count_wrong(self.output[stretch], period, offset) for stretch, period, offset in self._expected
        )

    def _place(self, buffers: Buffers) -> tuple[Array, Array]:
        """Input and output."""
        sends, receives = self._counts()
        larger = buffers.get("larger", max(sends, receives), self.element)
        if self.in_place:
            return self._part(larger, sends), self._part(larger, receives)
        smaller = buffers.get("smaller", min(sends, receives), self.element)
        return (larger, smaller) if sends > receives else (smaller, larger)

    def _counts(self) -> tuple[int, int]:
        """Elements that this rank puts in, and elements that it gets."""
        collective, is_root = self.plan.collective, self.rank == self.plan.root
        whole = self.count * self.plan.ranks
        sends = whole if collective in _SENDS_PARTS else self.count
        receives = whole if collective in _RECEIVES_PARTS else self.count
        if not is_root and collective == "scatter":
            sends = 0
        if not is_root and collective in _ROOT_RECEIVES:
            receives = 0
        return sends, receives

    def _part(self, larger: Array, count: int) -> Array:
        """All of a buffer, nothing of it, or this rank's part."""
        begin = 0 if count in (0, larger.size) else self.rank * self.count
        return larger[begin : begin + count]

    def _blocks(self) -> list[slice]:
        """Each rank's part of the larger buffer."""
        return [slice(rank * self.count, (rank + 1) * self.count) for rank in range(self.plan.ranks)]

    def _results(self, seed: int) -> list[tuple[slice, Array, int]]:
        """What a call must leave in each stretch of the output."""
        plan, whole = self.plan, slice(None)
        own_offset = self.rank * self.count
        if plan.collective in _ROOT_RECEIVES and self.rank != plan.root:
            return []
        if plan.reduces:
            reduced = self.element.encode(elements.reduction(seed, plan.op, plan.ranks))
            return [(whole, reduced, own_offset if plan.collective == "reduce_scatter" else 0)]
        if plan.collective in _RECEIVES_PARTS:
            offset = own_offset if plan.collective == "all_to_all" else 0
            return [(block, self._contribution(rank, seed), offset) for rank, block in enumerate(self._blocks())]
        source = self.peer if plan.collective == "send_recv" else plan.root
        return [(whole, self._contribution(source, seed), own_offset if plan.collective == "scatter" else 0)]

    def _is_repeatable(self) -> bool:
        """Whether a call may follow another on the data that this one left, and leave the same."""
        plan = self.plan
        if not self.in_place:
            return True
        if not plan.reduces:
            return plan.collective != "all_to_all"
        return plan.op in _IDEMPOTENT_OPS or (plan.op == "avg" and plan.collective == "all_reduce")

    def _contribution(self, rank: int, seed: int) -> Array:
        return self.element.encode(elements.contribution(rank, seed, self.plan.op, self.plan.ranks))
