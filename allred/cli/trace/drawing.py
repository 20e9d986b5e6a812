"""Draws a trace: time across, ranks down, of each the collectives that it is in and where it waits in them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from allred.tracing.document import Document, take_apart
from allred.tracing.part import Event, Part

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# By category: colour, top and height within a rank's row, and what the legend says. Later ones lie on top.
_STYLES = {
    "mark": ("#bbbbbb", 0.06, 0.14, "marked by the program"),
    "queue": ("#ccbb44", 0.24, 0.14, "a call waits its turn"),
    "call": ("#4477aa", 0.42, 0.34, "collective"),
    "wait": ("#ee6677", 0.49, 0.20, "waits for a peer"),
    "message": ("#228833", 0.80, 0.14, "send or receive"),
}
_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"))
_NAMED = ("mark", "message", "call")
_LEAST_NAMED = 0.05  # of the width: what a bar needs to have its name written into it


def draw(document: Document, path: Path, steps: tuple[int, int] | None = None) -> None:
    """Writes the drawing; the suffix says in which format.

    Args:
        document: the trace.
        path: of the drawing.
        steps: the first and the last to draw; by default all of the trace.

    Raises:
        ValueError: there are no such steps.
        OSError: it cannot be written.
    """
    parts = take_apart(document)
    begin, end = _window(parts, steps)
    scale, unit = next(((scale, unit) for scale, unit in _UNITS if end - begin >= scale * 1e9), _UNITS[-1])
    figure = Figure(figsize=(12, min(2.0 + 0.8 * len(parts), 22)), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_xlim(0, (end - begin) / scale / 1e9)
    shown: set[str] = set()
    for row, part in enumerate(parts):
        for category in _STYLES:
            events = [each for each in part.events if each.get("cat") == category]
            inside = [each for each in events if each["ts"] < end and each["ts"] + each.get("dur", 0) > begin]
            _draw_events(axes, row, category, _Scale(begin, scale * 1e9), inside)
            shown |= {category} if inside else set()
    for step in _steps(parts):
        axes.axvline(_Scale(begin, scale * 1e9).begin(step), color="#222222", linewidth=0.8, linestyle=":", zorder=4)
    _finish(axes, parts, unit, shown)
    figure.savefig(path)


class _Scale:
    """Times in the unit of the axis, from where it begins."""

    def __init__(self, begin: int, nanoseconds: float) -> None:
        self._begin = begin
        self._nanoseconds = nanoseconds

    def begin(self, event: Event) -> float:
        return float((event["ts"] - self._begin) / self._nanoseconds)

    def length(self, event: Event) -> float:
        return float(event.get("dur", 0) / self._nanoseconds)


def _window(parts: Sequence[Part], steps: tuple[int, int] | None) -> tuple[int, int]:
    if steps is None:
        return min(part.started_ns for part in parts), max(part.stopped_ns for part in parts)
    numbered = {each["args"]["step"]: each for each in _steps(parts)}
    for step in steps:
        if step not in numbered:
            raise ValueError(f"step {step} is not among the {len(numbered)} in the trace")
    last = numbered[steps[1]]
    return numbered[steps[0]]["ts"], last["ts"] + last["dur"]


def _steps(parts: Sequence[Part]) -> list[Event]:
    """Those that the first rank marked which marked any."""
    found = ([each for each in part.events if each.get("cat") == "step"] for part in parts)
    return next(filter(None, found), [])


def _draw_events(axes: Axes, row: int, category: str, scale: _Scale, events: Sequence[Event]) -> None:
    colour, top, height, _ = _STYLES[category]
    spans = [each for each in events if each["ph"] == "X"]
    axes.barh(
        [row + top + height / 2] * len(spans),
        [scale.length(each) for each in spans],
        left=[scale.begin(each) for each in spans],
        height=height,
        facecolor=colour,
        edgecolor=colour if category == "wait" else "white",
        linewidth=0.3,
    )
    instants = [scale.begin(each) for each in events if each["ph"] == "i"]
    axes.plot(instants, [row + top + height / 2] * len(instants), "|", color="#222222", markersize=8)
    width = axes.get_xlim()[1]
    for each in spans:
        if category in _NAMED and scale.length(each) > _LEAST_NAMED * width:
            x, y = scale.begin(each) + scale.length(each) / 2, row + top + height / 2
            axes.text(x, y, each["name"], ha="center", va="center", fontsize=7, clip_on=True, zorder=5)


def _finish(axes: Axes, parts: Sequence[Part], unit: str, shown: set[str]) -> None:
    axes.set_ylim(len(parts), 0)
    axes.set_yticks([row + 0.5 for row in range(len(parts))], [str(part.rank) for part in parts])
    axes.set_yticks(range(len(parts) + 1), minor=True)
    axes.tick_params(axis="y", which="both", length=0)
    axes.grid(axis="y", which="minor", color="#dddddd", linewidth=0.8)
    axes.grid(axis="x", color="#eeeeee", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.set_xlabel(f"time ({unit})")
    axes.set_ylabel("rank")
    handles = [Patch(facecolor=_STYLES[name][0], label=_STYLES[name][3]) for name in _STYLES if name in shown]
    axes.legend(handles=handles, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=len(_STYLES), frameon=False)
