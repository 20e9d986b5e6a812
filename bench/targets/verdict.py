"""What is said of one target: a line of the table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Verdict:
    """A target beside what was measured.

    Attributes:
        what: the subject.
        target: what was to be reached, in words.
        measured: what was, in words.
        met: whether it was; None where it could not be measured.
    """

    what: str
    target: str
    measured: str
    met: bool | None


@dataclass(frozen=True)
class Ratio:
    """A figure of one size, or of one case.

    Attributes:
        where: the size or the case, as people write it.
        value: how much better, or with `at_most` how much worse, than what it is compared with.
        target: what it is to be at least, or at most.
        barrier_us: the barrier's time before and after.
        at_most: whether less is better.
    """

    where: str
    value: float
    target: float
    barrier_us: tuple[float, float] | None = None
    at_most: bool = False

    @property
    def margin(self) -> float:
        """At least 1 where the target is met."""
        return self.target / self.value if self.at_most else self.value / self.target

    def describe(self) -> str:
        """The value, where, and in which state the machine was."""
        barrier = "" if self.barrier_us is None else ", barrier {:.2g}-{:.2g} us".format(*sorted(self.barrier_us))
        return f"{self.value:.2f} ({self.where}{barrier})"


def judge(what: str, target: str, ratios: Iterable[Ratio], missing: str = "nothing to compare with") -> Verdict:
    """Met where each ratio is; shows the worst and the best, by how they compare with their targets."""
    ordered = sorted(ratios, key=lambda ratio: ratio.margin)
    if not ordered:
        return Verdict(what, target, missing, None)
    worst, best = ordered[0], ordered[-1]
    measured = f"worst {worst.describe()}"
    if len(ordered) > 1:
        num_met = sum(ratio.margin >= 1 for ratio in ordered)
        measured += f", best {best.describe()}; met by {num_met} of {len(ordered)}"
    return Verdict(what, target, measured, worst.margin >= 1)
