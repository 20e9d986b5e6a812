"""The tables of allred bench: the figures that a result holds, all of them, and readable."""

from __future__ import annotations

import io
from typing import Any

import pytest
from cli.synthetic import LIBRARIES, POWERS, result

pytest.importorskip("rich")

from rich.console import Console

from allred.cli.bench import report


def shown(found: Any, width: int = 120) -> str:
    file = io.StringIO()
    report.show(found, Console(file=file, width=width))
    return file.getvalue()


def test_it_fits_the_usual_width() -> None:
    libraries = {**LIBRARIES, "allred torch symmetric": (8.0, 12.0), "intelmpi": (4.0, 4.0), "oneccl": (58.0, 2.0)}
    assert max(map(len, shown(result(libraries=libraries)).splitlines())) <= 120
    assert "…" not in shown(result(libraries=libraries))


def test_it_is_not_cut_short_where_there_is_less_room() -> None:
    assert shown(result((4,)), width=60).split() == shown(result((4,)), width=120).split()


def test_each_line_has_the_figures_of_both_placements() -> None:
    found = result((1 << 20,))
    libraries = {(each["name"], each["placement"]): each for each in found["results"][0]["libraries"]}
    (line,) = [line for line in shown(found).splitlines() if line.startswith("  openmpi")]
    expected = [
        cell
        for placement in ("out_of_place", "in_place")
        for each in [libraries["openmpi", placement]]
        for cell in (
            *(f"{each[key]:.0f}" for key in ("time_us", "p95_us", "p99_us")),
            *(f"{each[key]:.2f}" for key in ("algbw", "busbw")),
            *(f"{100 * each['of_floor']:.0f}%", "0"),
        )
    ]
    assert line.split()[1:] == expected
    (torch,) = [line for line in shown(found).splitlines() if line.startswith("  allred torch")]
    assert len(torch.split()) == 2 + 7  # in place alone


def test_the_line_of_a_size_has_its_floors() -> None:
    found = result((1 << 20,))
    floors = {floor["name"]: floor["time_us"] for floor in found["results"][0]["floors"]}
    (line,) = [line for line in shown(found).splitlines() if line.split()[:1] == ["1048576"]]
    assert line.split() == [
        *("1048576", "262144", "float32", "sum", "-1", "0.31", "0.55~"),
        *(f"{floors[name]:.3g}" for name in ("in place", "copy")),
        f"{floors['flag']:.2f}",
        f"{floors['exchange two_shot cached 128K']:.0f}",
        *("two_shot", "cached", "128K"),
    ]
    assert "the machine changed its state" in shown(found)
    assert "the machine changed its state" not in shown(result((4,)))


def test_the_standing_is_that_of_the_fastest_peer() -> None:
    found = result((4, 1 << 10))
    for record, (gloo, openmpi, mpich) in zip(found["results"], ((100, 4, 9), (50, 30, 16)), strict=True):
        for line in record["libraries"]:
            if line["name"] == "allred" and line["placement"] == "in_place":
                line["speedup"] = {"gloo": gloo, "openmpi": openmpi, "mpich": mpich}
    output = " ".join(shown(found).split())
    assert "allred, in-place: the fastest peer takes 4.00 (4) to 16.0 (1K) times as long; geometric mean 8.00" in output


def test_wrong_elements_stand_out() -> None:
    found = result((4,))
    found["results"][0]["libraries"][0]["wrong"] = 123
    file = io.StringIO()
    report.show(found, Console(file=file, width=120, force_terminal=True, color_system="standard"))
    assert "\x1b[31m123\x1b[0m" in file.getvalue()


@pytest.mark.parametrize("collective", ["barrier", "broadcast", "send_recv"])
def test_results_without_floors_or_peers(collective: str) -> None:
    found = result((0,) if collective == "barrier" else POWERS, libraries={"allred": (1.0, 9.0)}, floors={})
    found.update(collective=collective, op=None, root=1 if collective == "broadcast" else None)
    output = shown(found)
    assert collective in output
    assert ("root 1" in output) == (collective == "broadcast")
    assert "fastest peer" not in output
