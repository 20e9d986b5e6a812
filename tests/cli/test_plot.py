"""The plots of allred bench: what is in the picture, and errors where there can be none."""

from __future__ import annotations

import re
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from cli.synthetic import LIBRARIES, result

from allred.cli.bench import plot
from allred.cli.bench.labels import spread
from allred.cli.errors import UsageError


def test_every_library_and_floor_is_named(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    file = tmp_path / "found.svg"
    plot.draw(result(), file)
    named = re.findall("<!-- (.*?) -->", file.read_text())  # each text stands in a comment beside its glyphs
    for name in (*LIBRARIES, "memory, in place", "best exchange"):
        assert named.count(name) == 2, name  # in both panels
    assert named.count("flag round trip") == 1
    assert {"4 B", "256 MiB", "all_reduce of float32 by sum, 2 ranks", "100 µs"} <= set(named)
    assert "Imaginary Processor 9000, 2 cores, avx2" in named


@pytest.mark.parametrize("sizes", [(4,), (4, 64), (1000, 3000, 5000)])
def test_few_sizes(tmp_path: Path, sizes: tuple[int, ...]) -> None:
    pytest.importorskip("matplotlib")
    plot.draw(result(sizes, floors={}), tmp_path / "found.png")
    assert (tmp_path / "found.png").read_bytes().startswith(b"\x89PNG")


def test_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    with pytest.raises(UsageError, match=r"found.jpgg: plots are written as one of .*png"):
        plot.draw(result((4,)), tmp_path / "found.jpgg")
    with pytest.raises(UsageError, match="nothing to draw: the result of barrier has no message sizes"):
        plot.draw(result((0,), collective="barrier"), tmp_path / "found.png")
    with pytest.raises(OSError, match="nowhere"):
        plot.draw(result((4,)), tmp_path / "nowhere" / "found.png")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(UsageError, match=r"matplotlib, which is not installed: pip install 'allred\[bench\]'"):
        plot.draw(result((4,)), tmp_path / "found.png")


@pytest.mark.parametrize(
    ("heights", "expected"),
    [
        ([0.5, 0.1], [0.5, 0.1]),
        ([0.5, 0.5], [0.45, 0.55]),
        ([0.3, 0.3, 0.3, 0.9], [0.2, 0.3, 0.4, 0.9]),
        ([0.40, 0.25, 0.30], [0.40, 0.225, 0.325]),
        ([], []),
    ],
)
def test_labels_are_moved_apart_no_more_than_need_be(heights: list[float], expected: list[float]) -> None:
    found = spread(heights, gap=0.1)
    assert sorted(found) == pytest.approx(sorted(expected), abs=0.051)
    assert all(upper - lower > 0.0999 for lower, upper in pairwise(sorted(found)))
    assert sum(found) == pytest.approx(sum(heights))
