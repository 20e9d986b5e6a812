"""allred bench compare: it tells a change from noise, and refuses files that do not compare."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cli.synthetic import LIBRARIES, POWERS, result

from allred.cli.bench.compare import changes
from allred.cli.main import main

pytest.importorskip("rich")


def scaled(factor: float, only: str) -> Mapping[str, tuple[float, float]]:
    """The libraries, one of them slower by a factor at all sizes."""
    return {
        name: (latency * factor, bandwidth / factor) if name == only else (latency, bandwidth)
        for name, (latency, bandwidth) in LIBRARIES.items()
    }


def keep_blocks(found: Any, number: int) -> None:
    for record in found["results"]:
        for line in record["libraries"]:
            del line["blocks_us"][number:]


def compare(tmp_path: Path, before: Any, after: Any, *options: str) -> int:
    for name, found in (("before", before), ("after", after)):
        (tmp_path / f"{name}.json").write_text(found if isinstance(found, str) else json.dumps(found))
    return main(["bench", "compare", str(tmp_path / "before.json"), str(tmp_path / "after.json"), *options])


def test_noise_is_not_significant() -> None:
    for seed in range(1, 6):
        found = changes(result(POWERS[::3], seed=0), result(POWERS[::3], seed=seed))
        assert len(found) == len(POWERS[::3]) * 8
        assert [change.key for change in found if change.verdict(threshold=0)] == []


@pytest.mark.parametrize(("factor", "verdict"), [(1.1, "slower"), (1 / 1.1, "faster")])
def test_a_change_of_a_tenth_is_found_where_it_is(factor: float, verdict: str) -> None:
    sizes = POWERS[::5]
    found = changes(result(sizes, libraries=LIBRARIES), result(sizes, seed=1, libraries=scaled(factor, "allred")))
    for change in found:
        is_changed = change.key.name == "allred"
        assert change.verdict(threshold=0.05) == (verdict if is_changed else ""), change
        assert change.difference.low < (factor if is_changed else 1) < change.difference.high
        assert change.verdict(threshold=0.15) == ""


def test_what_is_significant_alone_need_not_be_among_many() -> None:
    """Five blocks each that do not overlap: p is 2/252, so that of eight comparisons one such is no surprise."""
    lines = {"allred": LIBRARIES["allred"]}
    for sizes, verdicts in (((8,), {"slower"}), ((8, 16, 32, 64), {""})):
        before, after = result(sizes, libraries=lines), result(sizes, seed=1, libraries=scaled(1.5, "allred"))
        keep_blocks(before, 5)
        keep_blocks(after, 5)
        found = changes(before, after)
        assert len(found) == 2 * len(sizes)
        assert {change.verdict(0.05) for change in found} == verdicts


def test_the_status_tells_what_became_slower(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = (4, 1 << 20)
    before, slower = result(sizes), result(sizes, seed=1, libraries=scaled(1.5, "allred torch"))
    assert compare(tmp_path, before, slower) == 0
    assert compare(tmp_path, before, slower, "--fail-if-slower") == 1
    assert compare(tmp_path, before, slower, "--fail-if-slower", "--threshold", "60") == 0
    assert compare(tmp_path, slower, before, "--fail-if-slower") == 0
    output = capsys.readouterr().out
    (forward, *_), (*_, backward) = (
        [line for line in output.splitlines() if line.startswith("allred torch:")] for _ in range(2)
    )
    assert re.fullmatch(r"allred torch: \+(4\d|5\d)\.\d% in the geometric mean; 2 slower, 0 faster, of 2", forward)
    assert re.fullmatch(r"allred torch: -3\d\.\d% in the geometric mean; 0 slower, 2 faster, of 2", backward)


def test_a_slower_peer_is_no_failure_but_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    after = result((4, 64), seed=1, libraries=scaled(1.5, "gloo"))
    assert compare(tmp_path, result((4, 64)), after, "--fail-if-slower") == 0
    assert "A peer changed, too" in capsys.readouterr().out


def test_what_makes_a_comparison_doubtful_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    after = result((1 << 20,), seed=1, machine={"cpu": "Another", "cores": 64})
    keep_blocks(after, 2)
    assert compare(tmp_path, result((1 << 20,)), after) == 0
    output = capsys.readouterr().out
    assert "The machines differ: Imaginary Processor 9000, 2 cores, avx2; and Another, 64 cores." in output
    assert "too few blocks" in output
    assert "1M~" in output


@pytest.mark.parametrize(
    ("after", "complaint"),
    [
        (result((4,), collective="broadcast"), "collective is 'all_reduce' and 'broadcast'"),
        (result((4,), dtype="int8"), "dtype is 'float32' and 'int8'"),
        (result((4,), ranks=4), "ranks is 2 and 4"),
        (result((4,), op="max"), "op is 'sum' and 'max'"),
        (result((4,), schema=1), "after.json has schema 1; expected 2: measure again"),
        (result((8,)), "have no size and library in common"),
        ([1], "after.json has schema None"),
        ("{", "after.json is not JSON"),
    ],
)
def test_files_that_do_not_compare(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], after: Any, complaint: str
) -> None:
    with pytest.raises(SystemExit) as raised:
        compare(tmp_path, result((4,)), after)
    assert raised.value.code == 2
    assert complaint in capsys.readouterr().err


def test_a_missing_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["bench", "compare", str(tmp_path / "nothing.json"), str(tmp_path / "nothing.json")])
    assert "nothing.json: No such file or directory" in capsys.readouterr().err
