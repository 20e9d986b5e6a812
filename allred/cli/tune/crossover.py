"""From times to numbers: where one candidate overtakes another, with regard to the noise. Arithmetic alone."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from allred.cli.tune.plan import ONE_SHOT, TWO_SHOT, Candidate

LARGE = 2 << 20  # bytes of a message, from which on rounds are as large as they get


@dataclass(frozen=True)
class Timing:
    """What a candidate took at one size.

    Attributes:
        seconds: a call, the median of the blocks.
        noise: half the range of the middle half of the blocks, as a share of the median.
    """

    seconds: float
    noise: float

    @staticmethod
    def of(blocks: Sequence[float]) -> Timing:
        """From the seconds a call of each block."""
        low, middle, high = np.percentile(blocks, [25, 50, 75])
        return Timing(float(middle), float((high - low) / 2 / middle))


Curve = Mapping[int, Timing]  # size -> timing
Curves = Mapping[str, Curve]  # candidate -> its curve


def crossover(before: Curve, after: Curve) -> int | None:
    """The smallest size at which `after` is faster and from which on it is nowhere slower by more than the noise.

    None if it does not overtake `before` at any size that both have.
    """
    found = None
    for size in sorted(before.keys() & after.keys(), reverse=True):
        lead = before[size].seconds / after[size].seconds - 1
        if lead < -(before[size].noise + after[size].noise):
            break
        if lead > 0:
            found = size
    return found


def fastest(curves: Sequence[Curve]) -> dict[int, Timing]:
    """At each size, the best of several."""
    sizes = {size for curve in curves for size in curve}
    return {size: min((c[size] for c in curves if size in c), key=lambda timing: timing.seconds) for size in sizes}


@dataclass(frozen=True)
class Conclusion:
    """What follows from a run.

    Attributes:
        one_shot_most: the largest message, in bytes, for which one_shot is best; 0 if none.
        chunk: bytes a round of staging.
        large_chunk: the same for messages of ``LARGE`` and more; None where ranks share cores, or none was measured.
        noise: the median over sizes and candidates, as a share of a time.
    """

    one_shot_most: int
    chunk: int
    large_chunk: int | None
    noise: float

    def numbers(self, ranks: int, cores: int) -> dict[str, int]:
        """As the selector has them: ranks with a core each and those without have numbers of their own."""
        if cores < ranks:
            return {"one_shot_bytes_shared": self.one_shot_most, "chunk_bytes_shared": self.chunk}
        large = {} if self.large_chunk is None else {"most_chunk_bytes": self.large_chunk}
        # The selector has the number for two ranks, and divides it for more.
        return {"one_shot_bytes": (self.one_shot_most * ranks + 1) // 2, "chunk_bytes": self.chunk, **large}


def conclude(curves: Curves, chunks: Sequence[int], default_chunk: int, default_large_chunk: int | None) -> Conclusion:
    """The numbers that serve best at the sizes measured; the default chunks, unless others are better beyond noise.

    Args:
        curves: what was measured.
        chunks: those that two_shot was measured with.
        default_chunk: bytes a round of staging.
        default_large_chunk: the same for large messages; None where one serves all.
    """
    by_chunk = {chunk: curves[Candidate(TWO_SHOT, chunk).name] for chunk in chunks}
    one_shot = curves.get(ONE_SHOT, {})
    sizes = set.intersection(*(set(curve) for curve in by_chunk.values()))
    large = {size for size in sizes if size >= LARGE} if default_large_chunk else set()
    small = {size for size in sizes - large if size > max(one_shot, default=0)}
    chunk = _best_chunk(_at(small or sizes, by_chunk), default_chunk)
    large_chunk = _best_chunk(_at(large, by_chunk), default_large_chunk) if default_large_chunk and large else None
    overtaken = crossover(one_shot, by_chunk[chunk]) or math.inf
    noises = [timing.noise for curve in curves.values() for timing in curve.values()]
    return Conclusion(
        one_shot_most=max((size for size in one_shot if size < overtaken), default=0),
        chunk=chunk,
        large_chunk=large_chunk,
        noise=float(np.median(noises)),
    )


def _at(sizes: Collection[int], by_chunk: Mapping[int, Curve]) -> dict[int, Curve]:
    return {chunk: {size: curve[size] for size in sizes} for chunk, curve in by_chunk.items()}


def _best_chunk(by_chunk: Mapping[int, Curve], default: int) -> int:
    best = fastest(list(by_chunk.values()))
    loss = {
        chunk: math.fsum(math.log(timing.seconds / best[size].seconds) for size, timing in curve.items())
        for chunk, curve in by_chunk.items()
    }
    winner = min(loss, key=lambda chunk: loss[chunk])
    noise = math.fsum(timing.noise for timing in by_chunk[winner].values())
    return default if loss.get(default, math.inf) - loss[winner] <= noise else winner
