"""Rows for things that happen at the same time: events of one row follow each other or lie within each other."""

from __future__ import annotations

from collections.abc import Sequence


def lanes(spans: Sequence[tuple[int, int]]) -> list[int]:
    """For each span, of begin and end, the first lane in which it overlaps no other, or lies wholly within another."""
    chosen = [0] * len(spans)
    open_ends: list[list[int]] = []  # of each lane: when the spans that are open end, the innermost last
    for idx in sorted(range(len(spans)), key=lambda idx: (spans[idx][0], -spans[idx][1])):
        begin, end = spans[idx]
        for ends in open_ends:
            while ends and ends[-1] <= begin:
                ends.pop()
        lane = next((lane for lane, ends in enumerate(open_ends) if not ends or end <= ends[-1]), len(open_ends))
        open_ends[lane : lane + 1] = [[*open_ends[lane], end]] if lane < len(open_ends) else [[end]]
        chosen[idx] = lane
    return chosen
