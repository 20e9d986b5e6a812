"""A result as tables for people: what nccl-tests prints, for each library; then how allred stands beside its peers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from allred.cli.bench import standing
from allred.cli.bench.figures import (
    PLACEMENTS,
    Record,
    Result,
    best_exchange,
    floor_times,
    machine,
    number,
    percent,
    placements_of,
    title,
)
from allred.cli.bench.printing import Part, grid, print_parts

_SIZE_COLUMNS = (("size", 10), ("count", 9), ("type", 8), ("redop", 7), ("root", 4), ("before", 7), ("after", 7))
_FLOOR_WIDTHS = {"in place": 8, "copy": 7, "flag": 6}
_EXCHANGE_COLUMNS = (("exchange", 8), ("", 26))
_COLUMNS = (
    *(("time", "(us)", 6), ("p95", "(us)", 6), ("p99", "(us)", 6)),
    *(("algbw", "(GB/s)", 6), ("busbw", "(GB/s)", 6), ("floor", "", 5), ("#wrong", "", 6)),
)
_INDENT = "  "


def show(result: Result, console: Console) -> None:
    """Prints a result of schema 2: the details first, so that what matters most ends up above the prompt."""
    sizes, lines = _Sizes(result), _Lines(result)
    parts: list[Part] = [_heading(result), "", *sizes.headings(), *lines.headings()]
    for record in result["results"]:
        parts += [sizes.row(record), lines.rows(record)]
    parts += ["", _legend(result), "", *standing.parts(result)]
    print_parts(parts, console)


def _heading(result: Result) -> Text:
    versions = [f"{name}: {version}" for name, version in result["versions"].items() if version]
    below = "; ".join([machine(result), f"allred {result['allred']['version']}", *versions])
    return Text.assemble((title(result), "bold"), f"\n{below}")


class _Sizes:
    """The line of each size: what nccl-tests has on the left, the barrier, and the floors that were measured."""

    def __init__(self, result: Result) -> None:
        self._result = result
        measured = {name for record in result["results"] for name in floor_times(record)}
        self._floors = [name for name in _FLOOR_WIDTHS if name in measured]
        has_exchange = any(best_exchange(record) for record in result["results"])
        self._exchange = _EXCHANGE_COLUMNS if has_exchange else ()
        self._columns = [*_SIZE_COLUMNS, *((name, _FLOOR_WIDTHS[name]) for name in self._floors), *self._exchange]
        self._widths = [width for _, width in self._columns]

    def headings(self) -> Iterator[Table]:
        """Two lines."""
        above = [""] * len(self._columns)
        above[5:7] = "barrier", "(us)"
        if len(above) > 7:
            above[7] = "floors:"
            above[8:] = ["(us)"] * len(above[8:10]) + [""] * len(above[10:])
        yield grid(self._widths, [above, [name for name, _ in self._columns]], "bold")

    def row(self, record: Record) -> Table:
        """Of one size."""
        result, barrier, floors = self._result, record["barrier_us"], floor_times(record)
        root = "-1" if result["root"] is None else str(result["root"])
        cells: list[str | Text] = [
            *(str(record["size"]), str(record["count"]), result["dtype"], result["op"] or "none", root),
            *(number(barrier["before"]), number(barrier["after"]) + ("~" if record["unstable"] else " ")),
            *(number(floors[name]) if name in floors else "-" for name in self._floors),
        ]
        if self._exchange:
            found = best_exchange(record)
            cells += [number(found[1]), Text(found[0], justify="left")] if found else ["-", ""]
        return grid(self._widths, [cells], "cyan")


class _Lines:
    """The lines of the libraries: a group of columns for each placement."""

    def __init__(self, result: Result) -> None:
        self._placements = placements_of(result)
        libraries = [library for record in result["results"] for library in record["libraries"]]
        self._name_width = max((len(_INDENT + library["name"]) for library in libraries), default=0)
        has_floor = any(library["of_floor"] is not None for library in libraries)
        self._columns = [column for column in _COLUMNS if has_floor or column[0] != "floor"]

    def headings(self) -> Iterator[Table]:
        """Of the groups, and of the columns."""
        width = sum(width + 1 for *_, width in self._columns) - 1
        groups = [Text(PLACEMENTS[each], justify="center") for each in self._placements]
        yield grid([self._name_width, *(width for _ in groups)], [["", *groups]], "bold")
        names = [f"{_INDENT}library", *[name for name, _, _ in self._columns] * len(groups)]
        yield self._grid([names, ["", *[unit for _, unit, _ in self._columns] * len(groups)]], "bold")

    def rows(self, record: Record) -> Table:
        """One a library."""
        lines: dict[str, dict[str, Record]] = {}
        for library in record["libraries"]:
            lines.setdefault(library["name"], {})[library["placement"]] = library
        return self._grid(
            [
                [_INDENT + name, *(cell for each in self._placements for cell in self._cells(line.get(each)))]
                for name, line in lines.items()
            ]
        )

    def _cells(self, library: Record | None) -> list[str]:
        if library is None:
            return [""] * len(self._columns)
        cells = {
            "time": number(library["time_us"]),
            "p95": number(library["p95_us"]),
            "p99": number(library["p99_us"]),
            **{name: f"{library[name]:.2f}" for name in ("algbw", "busbw")},
            "floor": percent(library["of_floor"]),
            "#wrong": f"[red]{library['wrong']}[/red]" if library["wrong"] else "0",
        }
        return [cells[name] for name, _, _ in self._columns]

    def _grid(self, rows: Sequence[Sequence[str]], style: str = "") -> Table:
        widths = [self._name_width, *[width for *_, width in self._columns] * len(self._placements)]
        return grid(widths, rows, style, is_named=True)


def _legend(result: Result) -> Text:
    lines = [
        f"time: of a call on the slowest rank; median, p95 and p99 of {result['blocks']} blocks of calls.",
        "algbw, busbw: as nccl-tests defines them. barrier: its time before and after the size was measured.",
    ]
    if any(floor_times(record) for record in result["results"]):
        lines += [
            "floor: speed in percent of that at which all ranks read and write their memory once (in place).",
            "exchange: the fastest of the AllReduces that are written by hand, without a library.",
        ]
    if any(record["unstable"] for record in result["results"]):
        lines.append(
            "~ the barrier's time moved meanwhile: the machine changed its state, and the size is not to be relied on."
        )
    return Text("\n".join(lines), style="dim")
