"""A result as a picture: time and bus bandwidth against size, one line a library, the machine's floors dashed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from allred.cli.bench.figures import (
    PLACEMENTS,
    Result,
    best_exchange,
    floor_times,
    machine,
    peers_of,
    placements_of,
    title,
)
from allred.cli.bench.labels import label_lines
from allred.cli.bench.results import bus_factor
from allred.cli.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours, which colour-blind people tell apart, for allred; dull ones for all else.
_OWN_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
_PEER_COLOURS = {
    "gloo": "#9a9a9a",
    "openmpi": "#8a7f5c",
    "mpich": "#7c8ea6",
    "intelmpi": "#a58a9b",
    "oneccl": "#7f9a84",
}
_MARKERS = "osD^vPX"
_FLOOR_COLOUR = "#3c3c3c"
_INCHES = (14.0, 6.2)
_DOTS_PER_INCH = 120
_MOST_TICKS = 8
_BANDWIDTH_DECADES = 3.5
_ROOM_FOR_LABELS = 0.55  # of the width of the lines

Points = dict[int, float]  # by size


@dataclass(frozen=True, eq=False)
class Line:
    """Microseconds a call by size, and how it is drawn."""

    name: str
    times: Points
    style: Mapping[str, Any]

    def bandwidths(self, factor: float) -> Points:
        """Bus bandwidth in GB/s by size."""
        return {size: factor * size / time / 1e3 for size, time in self.times.items()}


def draw(result: Result, path: Path) -> None:
    """Draws a result of schema 2 into a file, whose format is that of its suffix.

    Raises:
        UsageError: matplotlib is missing or does not know the format, or there is nothing to draw against.
        OSError: the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError(
            "plots are drawn with matplotlib, which is not installed: pip install 'allred[bench]'"
        ) from error
    if not any(record["size"] for record in result["results"]):
        raise UsageError(f"there is nothing to draw: the result of {result['collective']} has no message sizes")
    figure = Figure(figsize=_INCHES, dpi=_DOTS_PER_INCH, layout="constrained")
    formats = figure.canvas.get_supported_filetypes()
    if path.suffix[1:].lower() not in formats:
        raise UsageError(f"{path}: plots are written as one of {', '.join(sorted(formats))}")
    placement = _placement_of(result)
    lines = [*_floor_lines(result), *_library_lines(result, placement)]
    factor = bus_factor(result["collective"], result["ranks"])
    left, right = figure.subplots(1, 2)
    _draw_panel(left, result, {line: line.times for line in lines}, "time a call", side="left")
    bandwidths = {line: line.bandwidths(factor) for line in lines if line.name != "flag round trip"}
    _draw_panel(right, result, bandwidths, "bus bandwidth (GB/s)", side="right")
    figure.suptitle(f"{title(result)}\n{machine(result)}", fontsize=14, fontweight="bold")
    figure.supxlabel(_caption(result, placement), fontsize=9, color="#555555")
    figure.savefig(path)


def _placement_of(result: Result) -> str:
    """The one in which the most was measured: most libraries have it."""
    found = [library["placement"] for record in result["results"] for library in record["libraries"]]
    return max(placements_of(result), key=found.count)


def _library_lines(result: Result, placement: str) -> list[Line]:
    """The peers' first, so that allred's lie above them."""
    times: dict[str, Points] = {}
    for record in result["results"]:
        for library in record["libraries"]:
            if library["placement"] == placement:
                times.setdefault(library["name"], {})[record["size"]] = library["time_us"]
    peers = [name for name in peers_of(result) if name in times]
    own = [name for name in times if name not in peers]
    lines = [Line(name, times[name], _peer_style(name, idx)) for idx, name in enumerate(peers)]
    return lines + [Line(name, times[name], _own_style(idx)) for idx, name in reversed(list(enumerate(own)))]


def _own_style(idx: int) -> dict[str, Any]:
    colour = _OWN_COLOURS[idx % len(_OWN_COLOURS)]
    return {"color": colour, "linewidth": 3.0 if idx == 0 else 2.2, "marker": "o", "markersize": 4, "zorder": 4}


def _peer_style(name: str, idx: int) -> dict[str, Any]:
    colour, marker = _PEER_COLOURS.get(name, "#9a9a9a"), _MARKERS[idx % len(_MARKERS)]
    return {"color": colour, "linewidth": 1.3, "marker": marker, "markersize": 3.5, "zorder": 3}


def _floor_lines(result: Result) -> list[Line]:
    """Those that bound all libraries, and the best exchange at each size."""
    times: dict[str, Points] = {"memory, in place": {}, "flag round trip": {}, "best exchange": {}}
    for record in result["results"]:
        floors, exchange = floor_times(record), best_exchange(record)
        for name, time in (("memory, in place", floors.get("in place")), ("flag round trip", floors.get("flag"))):
            if time is not None:
                times[name][record["size"]] = time
        if exchange is not None:
            times["best exchange"][record["size"]] = exchange[1]
    dashes = {"memory, in place": (0, (6, 3)), "flag round trip": (0, (1.5, 2)), "best exchange": (0, (6, 2, 1.5, 2))}
    common = {"color": _FLOOR_COLOUR, "linewidth": 1.2, "zorder": 2}
    return [Line(name, points, {**common, "linestyle": dashes[name]}) for name, points in times.items() if points]


def _draw_panel(axes: Axes, result: Result, lines: Mapping[Line, Points], what: str, side: str) -> None:
    axes.set(xscale="log", yscale="log", xlabel="message size", ylabel=what)
    axes.grid(color="#e6e6e6", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    _shade_unstable(axes, result)
    for line, points in lines.items():
        sizes = sorted(size for size in points if size)
        axes.plot(sizes, [points[size] for size in sizes], **line.style)
    _label_sizes(axes, [record["size"] for record in result["results"] if record["size"]], side)
    bottom, top = axes.get_ylim()
    axes.set_ylim(bottom if side == "left" else max(bottom, top / 10**_BANDWIDTH_DECADES), top * 1.5)
    axes.yaxis.set_major_formatter(_time_text if side == "left" else "{x:g}")
    label_lines(axes, {line.name: (line.style["color"], points) for line, points in lines.items()}, side)


def _shade_unstable(axes: Axes, result: Result) -> None:
    for record in result["results"]:
        if record["unstable"] and record["size"]:
            axes.axvspan(record["size"] / 2**0.5, record["size"] * 2**0.5, color="#f3ead2", linewidth=0, zorder=0)


def _label_sizes(axes: Axes, sizes: list[int], side: str) -> None:
    """Ticks at sizes that were measured, and room for the labels of the lines."""
    from matplotlib.ticker import FixedLocator, NullLocator

    ticks = sorted(sizes)[:: -(-len(sizes) // _MOST_TICKS)]  # as far apart as each other, where the sizes are
    ticks[-1] = max(sizes)
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(ticks, [_size_text(size) for size in ticks])
    least, most = min(sizes), max(sizes) if max(sizes) > min(sizes) else 2 * min(sizes)
    room = (most / least) ** _ROOM_FOR_LABELS
    axes.set_xlim(*((least / room, most * 1.5) if side == "left" else (least / 1.5, most * room)))


def _time_text(micros: float, _: float) -> str:
    """Such as 100 ns, 1 µs and 10 ms."""
    for unit, name in ((1e6, "s"), (1e3, "ms"), (1, "µs")):
        if micros >= unit:
            return f"{micros / unit:g} {name}"
    return f"{micros * 1e3:g} ns"


def _size_text(size: int) -> str:
    """Such as 4 B and 256 MiB; short of whole units, two digits."""
    value, unit = float(size), "B"
    for larger in ("KiB", "MiB", "GiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.3g} {unit}"


def _caption(result: Result, placement: str) -> str:
    shaded = (
        "; shaded: the machine changed its state meanwhile" if any(e["unstable"] for e in result["results"]) else ""
    )
    how = f"{PLACEMENTS[placement]}; median of {result['blocks']} blocks, slowest rank; dashed: what the machine can do"
    return f"{how}{shaded}; allred {result['allred']['version']}, {result['date'][:10]}"
