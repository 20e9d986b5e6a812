"""Draws a call: time across, ranks down, what each does as bars, messages as arrows. Times are the simulator's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from allred.cli.sizes import format_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from allred import _core
    from allred.cli.explain.explanation import Explanation

# Where in a rank's row a bar lies: its top and its height. Sends lie above receives, as both happen at once.
_UPPER, _LOWER, _WHOLE = (0.06, 0.40), (0.54, 0.40), (0.10, 0.80)
# By kind of step or name of phase: colour, place, and what the legend says.
_STYLES: Mapping[str, tuple[str, tuple[float, float], str]] = {
    "copy": ("#bbbbbb", _WHOLE, "copy"),
    "send": ("#4477aa", _UPPER, "send"),
    "recv": ("#ccbb44", _LOWER, "receive"),
    "recv_reduce": ("#ee6677", _LOWER, "receive and reduce"),
    "show": ("#4477aa", _WHOLE, "show: write for the peers"),
    "stage": ("#4477aa", _WHOLE, "stage: write for the peers"),
    "take": ("#ee6677", _WHOLE, "take: read what the peers show"),
    "read": ("#ee6677", _WHOLE, "read what the peers staged"),
    "reduce": ("#ee6677", _WHOLE, "reduce the own chunk"),
    "gather": ("#ccbb44", _WHOLE, "gather the peers' chunks"),
}
_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))
_MOST_ARROWS = 600
_MOST_NUMBERED_ROUNDS = 16


@dataclass(frozen=True)
class Bar:
    """One activity, as a rectangle in units of time and of rows."""

    name: str
    number: int  # of the step or round
    begin: float
    end: float
    top: float
    height: float

    @property
    def middle(self) -> float:
        """Between its upper and its lower edge."""
        return self.top + self.height / 2


def draw(explanation: Explanation, path: Path) -> None:
    """Writes the drawing; the suffix says in which format.

    Raises:
        OSError: it cannot be written.
    """
    timeline = explanation.timeline
    assert timeline is not None, "the caller asks for a timeline where it draws"
    figure = Figure(figsize=(12, min(3.0 + 0.55 * explanation.call.ranks, 22)), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    seconds = max((end for *_, end in timeline.activities), default=0.0)
    scale, unit = next(((scale, unit) for scale, unit in _UNITS if seconds >= scale), _UNITS[-1])
    bars = lay_out(timeline, scale)
    _draw_bars(axes, list(bars.values()))
    if timeline.messages:
        _draw_messages(axes, timeline, bars)
    else:
        _number_rounds(axes, list(bars.values()))
    _finish(axes, explanation, seconds / scale, unit)
    figure.savefig(path)


def lay_out(timeline: _core.Timeline, scale: float) -> dict[tuple[int, int, str], Bar]:
    """The bars by rank, step and name; those of a rank that lie in the same place at the same time share it.

    Args:
        timeline: what happens.
        scale: seconds of one unit of time.
    """
    places: dict[tuple[int, tuple[float, float]], list[tuple[int, str, float, float]]] = {}
    for rank, number, name, begin, end in timeline.activities:
        if end > begin:
            places.setdefault((rank, _STYLES[name][1]), []).append((number, name, begin / scale, end / scale))
    bars = {}
    for (rank, (top, height)), found in places.items():
        lanes = _lanes([(begin, end) for *_, begin, end in found])
        share = height / (1 + max(lanes))
        for (number, name, begin, end), lane in zip(found, lanes, strict=True):
            bars[rank, number, name] = Bar(name, number, begin, end, rank + top + lane * share, share)
    return bars


def _lanes(intervals: Sequence[tuple[float, float]]) -> list[int]:
    """For each interval the first lane that is free when it begins."""
    lanes = [0] * len(intervals)
    free_from: list[float] = []
    for idx in sorted(range(len(intervals)), key=lambda idx: intervals[idx]):
        begin, end = intervals[idx]
        lanes[idx] = next((lane for lane, free in enumerate(free_from) if free <= begin), len(free_from))
        free_from[lanes[idx] : lanes[idx] + 1] = [end]
    return lanes


def _draw_bars(axes: Axes, bars: Sequence[Bar]) -> None:
    handles = []
    for name, (colour, _, meaning) in _STYLES.items():
        drawn = [bar for bar in bars if bar.name == name]
        if not drawn:
            continue
        axes.barh(
            [bar.middle for bar in drawn],
            [bar.end - bar.begin for bar in drawn],
            left=[bar.begin for bar in drawn],
            height=[bar.height for bar in drawn],
            facecolor=colour,
            edgecolor="white",
            linewidth=0.4,
        )
        handles.append(Patch(facecolor=colour, label=meaning))
    axes.legend(handles=handles, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=4, frameon=False)


def _draw_messages(axes: Axes, timeline: _core.Timeline, bars: Mapping[tuple[int, int, str], Bar]) -> None:
    """From where a send begins to where its receive ends."""
    by_step = {(rank, number): bar for (rank, number, _), bar in bars.items()}
    pairs = [
        (by_step[source, send], by_step[destination, recv])
        for source, send, destination, recv in timeline.messages
        if (source, send) in by_step and (destination, recv) in by_step
    ]
    if len(pairs) > _MOST_ARROWS:
        return
    axes.quiver(
        [send.begin for send, _ in pairs],
        [send.middle for send, _ in pairs],
        [recv.end - send.begin for send, recv in pairs],
        [recv.middle - send.middle for send, recv in pairs],
        angles="xy",
        scale_units="xy",
        scale=1,
        width=0.0012,
        headwidth=6,
        headlength=7,
        color="#222222",
        alpha=0.75,
        zorder=3,
    )


def _number_rounds(axes: Axes, bars: Sequence[Bar]) -> None:
    """The number of each round in its bars, where there are few enough to read."""
    if not 1 < 1 + max((bar.number for bar in bars), default=0) <= _MOST_NUMBERED_ROUNDS:
        return
    for bar in bars:
        x = (bar.begin + bar.end) / 2
        axes.text(x, bar.middle, str(bar.number), ha="center", va="center", fontsize=7, clip_on=True)


def _finish(axes: Axes, explanation: Explanation, end: float, unit: str) -> None:
    call = explanation.call
    axes.set_xlim(0, end * 1.01 or 1)
    axes.set_ylim(call.ranks, 0)
    axes.set_yticks([rank + 0.5 for rank in range(call.ranks)], [str(rank) for rank in range(call.ranks)])
    axes.set_yticks(range(call.ranks + 1), minor=True)
    axes.tick_params(axis="y", which="both", length=0)
    axes.grid(axis="y", which="minor", color="#dddddd", linewidth=0.8)
    axes.grid(axis="x", color="#eeeeee", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.set_xlabel(f"simulated time ({unit})")
    axes.set_ylabel("rank")
    size = f" of {format_size(call.bytes)}" if call.count else ""
    numbers = "" if explanation.has_steps else " (numbers: rounds)"
    axes.set_title(f"{call.collective}{size}, {call.ranks} ranks: {explanation.algorithm}{numbers}", loc="left", pad=26)
