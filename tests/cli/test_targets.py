"""The table of targets: what is concluded from results, and where the table goes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from targets import rows
from targets.effort import USUAL
from targets.measurement import Measurement, Raw
from targets.results import BEGIN, END, Results, write_table
from targets.rows import all_reduce, all_reduce_floors, collectives, dtypes, groups, shared_memory, small_calls
from targets.verdict import Ratio, Verdict, judge

MIB = 1 << 20


def record(size: int, times: Mapping[str, float], flag: float = 1.0, **floors: float) -> Any:
    """Of `allred bench`: a time in microseconds for each library, "symmetric" in a name being its memory.

    The last block has another time, in the middle of which the machine changed its state.
    """

    def line(time: float) -> dict[str, Any]:
        blocks = [time, time / 2, time * 2, time * 100]
        return {"time_us": time, "blocks_us": blocks, "flags_us": [[flag, flag]] * 3 + [[0.3, 1.5]]}

    libraries = [
        {
            "name": name,
            "memory": "symmetric" if "symmetric" in name else "private",
            "placement": "in_place",
            **line(time),
        }
        for name, time in times.items()
    ]
    found = [{"name": name, **line(time)} for name, time in floors.items()]
    return {"size": size, "barrier_us": {"before": 1.0, "after": 1.0}, "libraries": libraries, "floors": found}


def met(measurement: Measurement, raw: Raw) -> list[bool | None]:
    verdicts = measurement.judge(raw)
    assert [(verdict.what, verdict.target) for verdict in verdicts] == list(measurement.targets)
    return [verdict.met for verdict in verdicts]


def test_worst_ratio_decides() -> None:
    verdict = judge("a", "twice", [Ratio("4", 3.0, 2.0, (0.5, 0.4)), Ratio("1K", 1.9, 2.0), Ratio("1M", 5.0, 2.0)])
    assert verdict.met is False
    assert verdict.measured == "worst 1.90 (1K), best 5.00 (1M); met by 2 of 3"
    assert "barrier 0.4-0.5 us" in judge("a", "twice", [Ratio("4", 3.0, 2.0, (0.5, 0.4))]).measured


def test_what_bounds_the_ratios_is_judged_beside_them() -> None:
    ratios = [Ratio("4", 3.0, 2.0, bound=3.5), Ratio("1K", 1.5, 2.0, bound=1.9), Ratio("1M", 1.8, 2.0, bound=2.1)]
    assert judge("a", "twice", ratios, bound="the best").measured.endswith("met by 1 of 3, and by the best 2 of 3")


def test_nothing_to_compare_with_is_not_met() -> None:
    assert judge("a", "b", [], "no peer") == Verdict("a", "b", "no peer", None)


@pytest.mark.parametrize(("mpich", "expected"), [(20.0, True), (19.0, False)])
def test_fastest_peer_counts(mpich: float, expected: bool) -> None:
    """The slower one does not help; Gloo is no MPI."""
    times = {"allred": 10.0, "openmpi": 90.0, "mpich": mpich, "gloo": 1.0}
    assert met(all_reduce.MEASUREMENT, {"results": [record(2048, times)]})[0] is expected


def test_states_of_the_machine() -> None:
    times = {"allred": 100.0, "allred symmetric": 80.0}
    floors = {"in place": 75.0, "exchange one_shot": 300.0, "exchange two_shot": 96.0}
    near = record(16 * MIB, times, 0.3, **floors)
    assert met(all_reduce_floors.MEASUREMENT, {"results": [near]}) == [True, True, True, None]
    far = record(16 * MIB, times, 1.0, **floors)
    assert met(all_reduce_floors.MEASUREMENT, {"results": [far]}) == [True, None, None, False]
    told_apart = all_reduce_floors.MEASUREMENT.judge({"results": [near, far]})[0]
    assert told_apart.measured == "worst 0.96 (16M near), best 0.96 (16M far); met by 2 of 2"


def test_a_median_is_of_several_blocks() -> None:
    """Of a state in which a library was seen twice nothing is said."""
    seen_twice = record(16 * MIB, {"allred": 100.0}, 0.3, **{"exchange one_shot": 100.0})
    seen_twice["libraries"][0]["flags_us"][0] = [1.0, 1.0]
    assert met(all_reduce_floors.MEASUREMENT, {"results": [seen_twice]})[0] is None


def test_gloo_targets_by_size() -> None:
    times = {"allred torch": 1.0, "gloo": 45.0}
    sizes = {4: True, 64: None, 256: False, 65536: False, MIB: True, 4 * MIB: None, 256 * MIB: True}
    for size, expected in sizes.items():
        assert met(all_reduce.MEASUREMENT, {"results": [record(size, times)]})[-1] is expected, size


def test_collectives_on_all_ranks() -> None:
    fast = {"results": [record(4, {"allred": 1.0, "allred torch": 1.0, "mpich": 1.6, "gloo": 6.0})]}
    slow = {"results": [record(4, {"allred": 1.0, "allred torch": 1.0, "mpich": 1.4, "gloo": 6.0})]}
    assert met(collectives.MEASUREMENTS[0], {"2": fast, "4": fast}) == [True, True]
    assert met(collectives.MEASUREMENTS[0], {"2": fast, "4": slow}) == [False, True]


def blocks(**times: float) -> Raw:
    medians = {name: [9 * time, time, 0.1 * time] for name, time in times.items()}
    return {"results": [{"size": 4 * MIB, "blocks_us": medians, "barrier_us": {"before": 1.0, "after": 1.0}}]}


def test_own_programs() -> None:
    assert met(small_calls.MEASUREMENT, blocks(**{"allred torch": 11.9, "fake": 10.0})) == [True]
    assert met(small_calls.MEASUREMENT, blocks(**{"allred torch": 12.1, "fake": 10.0})) == [False]
    raw = blocks(float32=8.0, bfloat16=4.0, float16=6.0, int8=2.0)
    assert met(dtypes.MEASUREMENT, raw) == [False, True]
    assert met(groups.MEASUREMENT, {"blocks_ms": {"allred": [1.0, 1.0, 9.0], "gloo": [2.0, 2.0, 2.0]}}) == [True]
    assert met(shared_memory.MEASUREMENT, {"busy": 9.0 * MIB, "small": 1024.0}) == [False, True]


def test_rows_keep_their_figures(tmp_path: Path) -> None:
    results = Results(tmp_path)
    results.keep(shared_memory.MEASUREMENT, {"busy": 1.0 * MIB, "small": 1024.0}, "usual")
    verdicts = Results(tmp_path).judge(rows.ALL)
    assert len(verdicts) == sum(len(measurement.targets) for measurement in rows.ALL)
    assert {verdict.measured for verdict in verdicts if verdict.met} == {"1.0 MiB", "1 KiB"}
    assert {verdict.measured for verdict in verdicts if verdict.met is None} == {"not measured yet"}


def test_table_stands_between_the_markers(tmp_path: Path) -> None:
    file = tmp_path / "README.md"
    file.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    for _ in range(2):
        write_table([Verdict("a", "b", "c", True)], file)
    head = "| what | target | measured | met |\n|---|---|---|---|\n"
    assert file.read_text() == f"before\n{BEGIN}\n{head}| a | b | c | yes |\n{END}\nafter\n"
    file.write_text("no markers")
    with pytest.raises(ValueError, match=r"README\.md has no lines"):
        write_table([], file)


def test_every_size_is_understood() -> None:
    from allred.cli.sizes import parse_sizes

    assert {4, 12, 1 << 20, 256 * MIB} <= set(parse_sizes(USUAL.sizes))
