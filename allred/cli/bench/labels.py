"""Names beside the ends of lines, moved apart where they would cover each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GAP = 0.047  # of the height of the axes, between two labels
_FONT_SIZE = 10
_DISTANCE = 0.035  # of the width of the axes, between a line and its name


def label_lines(axes: Axes, lines: Mapping[str, tuple[str, Mapping[int, float]]], side: str) -> None:
    """Writes each line's name in its colour to the left of its first point, or to the right of its last one.

    Args:
        axes: whose limits are set.
        lines: colour and points by name.
        side: ``"left"`` or ``"right"``.
    """
    pick = min if side == "left" else max
    ends = {name: (pick(points), points[pick(points)]) for name, (_, points) in lines.items()}
    to_axes = axes.transData + axes.transAxes.inverted()
    places = {name: tuple(to_axes.transform(end)) for name, end in ends.items()}
    edge = pick(x for x, _ in places.values()) + (-_DISTANCE if side == "left" else _DISTANCE)
    heights = spread([min(max(y, 0.0), 1.0) for _, y in places.values()], _GAP)
    leader = {"arrowstyle": "-", "linewidth": 0.6, "shrinkA": 0, "shrinkB": 3}
    leader["relpos"] = (1, 0.5) if side == "left" else (0, 0.5)
    for (name, (x, y)), height in zip(places.items(), heights, strict=True):
        axes.annotate(
            name,
            xy=(x, y),
            xytext=(edge, height),
            xycoords="axes fraction",
            textcoords="axes fraction",
            horizontalalignment="right" if side == "left" else "left",
            verticalalignment="center",
            color=lines[name][0],
            fontsize=_FONT_SIZE,
            fontweight="bold" if name.startswith("allred") else "normal",
            arrowprops={**leader, "color": lines[name][0]},
        )


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """The nearest heights, by the sum of squares, that keep their order and are at least `gap` apart."""
    order = sorted(range(len(heights)), key=lambda idx: heights[idx])
    groups: list[list[float]] = []  # of each group of labels that touch: number, and sum of where its lowest would be
    for place, idx in enumerate(order):
        groups.append([1, heights[idx] - place * gap])
        while len(groups) > 1 and groups[-2][1] / groups[-2][0] > groups[-1][1] / groups[-1][0]:
            number, total = groups.pop()
            groups[-1][0] += number
            groups[-1][1] += total
    lowest = [total / number for number, total in groups for _ in range(int(number))]
    found = [0.0] * len(heights)
    for place, idx in enumerate(order):
        found[idx] = lowest[place] + place * gap
    return found
