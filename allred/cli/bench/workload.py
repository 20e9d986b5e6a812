"""The buffers of one collective at one size, what is put into them, and what they must hold after a call."""

from __future__ import annotations

from allred.cli.bench import elements
from allred.cli.bench.elements import Array, ElementType
from allred.cli.bench.plan import Plan

ROOT = 0
# Repeating one of these in place on its own result changes nothing.
_IDEMPOTENT_OPS = ("min", "max", "band", "bor")


class Workload:
    """One rank's buffers, which all libraries use in turn. Not thread-safe; does not block.

    As in nccl-tests, a size is that of the larger of the two buffers where they differ: all_gather and reduce_scatter
    divide it by the number of ranks, and all ranks' parts have at least one element.

    Attributes:
        plan: the run this belongs to.
        element: type of the elements.
        rank: of this process.
        count: elements of a rank's part: of the message, or of the smaller buffer.
        bytes: what is reported as size.
        input, output: the arrays; the same one where the collective works in place.
    """

    def __init__(self, plan: Plan, size: int, rank: int) -> None:
        self.plan = plan
        self.element = ElementType(plan.dtype)
        self.rank = rank
        parts = plan.ranks if plan.collective in ("all_gather", "reduce_scatter") else 1
        itemsize = self.element.storage.itemsize
        self.count = 0 if plan.collective == "barrier" else max(1, size // (itemsize * parts))
        self.bytes = self.count * parts * itemsize
        part = elements.allocate(self.count, self.element)
        whole = part if parts == 1 else elements.allocate(self.count * parts, self.element)
        self.input = whole if plan.collective == "reduce_scatter" else part
        self.output = whole if plan.collective == "all_gather" else part
        # For each stretch of the output that must hold something: its beginning, its end, and the data from an offset.
        self._expected: list[tuple[slice, Array, int]] = []

    def fill(self, seed: int) -> None:
        """Puts fresh data in for one call. The same seed on all ranks."""
        plan = self.plan
        elements.write(self.input, self._contribution(self.rank, seed))
        whole = slice(None)
        if plan.collective == "all_gather":
            self._expected = [
                (slice(rank * self.count, (rank + 1) * self.count), self._contribution(rank, seed), 0)
                for rank in range(plan.ranks)
            ]
        elif plan.collective == "broadcast":
            self._expected = [(whole, self._contribution(ROOT, seed), 0)]
        elif plan.collective == "reduce" and self.rank != ROOT:
            self._expected = []  # libraries may use it as scratch
        else:
            reduced = self.element.encode(elements.reduction(seed, plan.op, plan.ranks))
            offset = self.rank * self.count if plan.collective == "reduce_scatter" else 0
            self._expected = [(whole, reduced, offset)]

    def fill_repeatable(self, seed: int) -> None:
        """Puts data in that any number of calls, one or more, turn into the same result. The same seed on all ranks."""
        self.fill(seed)
        if self._is_repeatable():
            return
        neutral = self.element.encode(elements.identity(self.plan.op))
        elements.write(self.input, neutral)
        self._expected = [(stretch, neutral, 0) for stretch, _, _ in self._expected]

    def count_wrong(self) -> int:
        """How many elements of this rank's output are not what the calls since the last fill must have left."""
        return sum(
            elements.count_wrong(self.output[stretch], period, offset) for stretch, period, offset in self._expected
        )

    def _is_repeatable(self) -> bool:
        plan = self.plan
        in_place = self.input is self.output
        if not plan.reduces or not in_place or plan.op in _IDEMPOTENT_OPS:
            return True
        return plan.op == "avg" and plan.collective == "all_reduce"

    def _contribution(self, rank: int, seed: int) -> Array:
        return self.element.encode(elements.contribution(rank, seed, self.plan.op, self.plan.ranks))
