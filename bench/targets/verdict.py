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
        bound: the value of what bounds this one, measured beside it.
    """

    where: str
    value: float
    target: float
    barrier_us: tuple[float, float] | None = None
    at_most: bool = False
    bound: float | None = None

    @property
    def margin(self) -> float:
        """At least 1 where the target is met."""
        return self.margin_of(self.value)

    def margin_of(self, value: float) -> float:
        """The same, were that the value."""
        return self.target / value if self.at_most else value / self.target

    def describe(self) -> str:
        """The value, where, and in which state the machine was."""
        barrier = "" if self.barrier_us is None else ", barrier {:.2g}-{:.2g} us".format(*sorted(self.barrier_us))
        return f"{self.value:.2f} ({self.where}{barrier})"


def judge(
    what: str, target: str, ratios: Iterable[Ratio], missing: str = "nothing to compare with", bound: str = ""
) -> Verdict:
    """Met where each ratio is; shows the worst and the best, by how they compare with their targets.

    Args:
        what: the subject.
        target: in words.
        ratios: all that count.
        missing: what is said where there are none.
        bound: what the ratios' bounds are of, in words.
    """
    ordered = sorted(ratios, key=lambda ratio: ratio.margin)
    if not ordered:
        return Verdict(what, target, missing, None)
    worst, best = ordered[0], ordered[-1]
    measured = f"worst {worst.describe()}"
    if len(ordered) > 1:
        num_met = sum(ratio.margin >= 1 for ratio in ordered)
        measured += f", best {best.describe()}; met by {num_met} of {len(ordered)}"
    bounds = [ratio.margin_of(ratio.bound) for ratio in ordered if ratio.bound is not None]
    if bound and bounds:
        measured += f", and by {bound} {sum(margin >= 1 for margin in bounds)} of {len(bounds)}"
    return Verdict(what, target, measured, worst.margin >= 1)
