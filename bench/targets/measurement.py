"""A measurement: one or more runs whose raw results are kept, and the targets that are judged by them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from targets.effort import Effort
from targets.verdict import Verdict

Raw = dict[str, Any]


class NotMeasurable(Exception):  # noqa: N818 - an answer, not an error
    """Something is missing, which the text names."""


@dataclass(frozen=True)
class Measurement:
    """Plain data.

    Attributes:
        name: as ``make targets ROWS=...`` takes it, and the stem of the file of raw results.
        measure: runs it; blocks for as long as the effort says. Raises NotMeasurable.
        judge: what follows from the raw results, a verdict for each target.
        targets: subject and target of each verdict, for when there are no results.
    """

    name: str
    measure: Callable[[Effort], Raw]
    judge: Callable[[Raw], Sequence[Verdict]]
    targets: Sequence[tuple[str, str]]

    def unmeasured(self, reason: str) -> list[Verdict]:
        """The verdicts where there is nothing to judge by."""
        return [Verdict(what, target, reason, None) for what, target in self.targets]
