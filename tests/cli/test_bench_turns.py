"""The conductor: libraries of several jobs take turns, what they get wrong is counted, and none can hold up the run."""

from __future__ import annotations

import subprocess
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from cli.fake_peer import FakePeer
from cli.processes import is_running
from cli.rank_threads import run

from allred import Communicator
from allred.cli.bench.allred_library import AllredLibrary
from allred.cli.bench.company import Member
from allred.cli.bench.libraries import Call, NotOffered
from allred.cli.bench.lines import Line, Title
from allred.cli.bench.plan import COLLECTIVES, Plan, algorithms_of
from allred.cli.bench.workload import Workload
from allred.cli.errors import CommandFailed

pytest.importorskip("rich")


def plan_of(collective: str, ranks: int = 2, **settings: object) -> Plan:
    quick = {"sizes": (4, 4096), "blocks": 2, "iterations": 3, "timeout": 30.0}
    return Plan(collective=collective, ranks=ranks, **{**quick, **settings})


def just_allred(communicator: Communicator) -> list[Member]:
    return [Member(AllredLibrary(communicator))]


@pytest.mark.parametrize("collective", COLLECTIVES)
def test_every_collective(collective: str) -> None:
    plan = plan_of(collective, root=1, algorithms=algorithms_of(collective))

    def members(communicator: Communicator) -> list[Member]:
        return [Member(AllredLibrary(communicator, algorithm)) for algorithm in plan.algorithms]

    outcome = run(plan, members)
    assert outcome.left_out == {}
    for record in outcome.records:
        lines = record["libraries"]
        assert len({line["name"] for line in lines}) == len(plan.algorithms)
        assert [line["wrong"] for line in lines] == [0] * len(lines)
        assert [line["calls_per_block"] for line in lines] == [3] * len(lines)
        for line in lines:
            assert len(line["blocks_us"]) == 2
            assert 0 < line["min_us"] <= line["time_us"] <= line["p95_us"] <= line["p99_us"]


def test_sizes_that_come_to_the_same_are_measured_once() -> None:
    outcome = run(plan_of("all_gather", sizes=(1, 4, 8, 17)), just_allred)
    assert [(record["size"], record["count"]) for record in outcome.records] == [(8, 1), (16, 2)]


def test_calls_are_made_for_as_long_as_was_asked_for() -> None:
    outcome = run(plan_of("all_reduce", sizes=(4,), iterations=None, seconds_per_size=0.5), just_allred)
    (line,) = outcome.records[0]["libraries"]
    assert line["calls_per_block"] > 1


class FaultyLibrary(AllredLibrary):
    """Rank 1 spoils an element each time it is called; and there is no AllReduce of integers."""

    def __init__(self, communicator: Communicator) -> None:
        super().__init__(communicator)
        self.name = "faulty"
        self._rank = communicator.rank

    def all_reduce(self, work: Workload) -> Call:
        if work.element.is_integer:
            raise NotOffered("it cannot count")
        return partial(self._call, super().all_reduce(work), work.output)

    def _call(self, call: Call, output: np.ndarray) -> None:
        call()
        if self._rank == 1:
            output[-1] = 12345


def test_wrong_elements_are_counted() -> None:
    plan = plan_of("all_reduce", sizes=(4096,))
    outcome = run(plan, lambda communicator: [*just_allred(communicator), Member(FaultyLibrary(communicator))])
    lines = outcome.records[0]["libraries"]
    # After one call it is one element; after several, which sum up what is wrong, one on both ranks.
    assert {line["name"]: line["wrong"] for line in lines} == {"allred": 0, "faulty": 1 + (2 + 1) * plan.blocks}


def test_what_a_library_does_not_offer_is_left_out() -> None:
    plan = plan_of("all_reduce", dtype="int32")
    outcome = run(plan, lambda communicator: [*just_allred(communicator), Member(FaultyLibrary(communicator))])
    assert outcome.left_out == {"faulty": ["it cannot count"] * 2}
    assert [line["name"] for record in outcome.records for line in record["libraries"]] == ["allred"] * 2


class Pause:
    """A floor: a call that takes a millisecond."""

    def prepare(self, work: Workload) -> Call:
        if work.plan.collective != "all_reduce":
            raise NotOffered("a pause bounds AllReduce only")
        return partial(time.sleep, 1e-3)


@pytest.mark.parametrize("collective", ["all_reduce", "broadcast"])
def test_floors_take_turns_too(collective: str) -> None:
    def no_barrier(work: Workload) -> Call:
        return int

    pause = Line(Title("in place", kind="floor"), Pause().prepare, no_barrier)
    outcome = run(plan_of(collective), just_allred, [pause])
    assert outcome.left_out == {}
    for record in outcome.records:
        lines = record["libraries"]
        assert [line["name"] for line in lines] == ["allred"]
        if collective != "all_reduce":
            assert record["floors"] == []
            assert lines[0]["of_floor"] is None
            continue
        (floor,) = record["floors"]
        assert (floor["name"], len(floor["blocks_us"])) == ("in place", 2)
        assert floor["time_us"] >= 1000
        assert lines[0]["of_floor"] == pytest.approx(floor["time_us"] / lines[0]["time_us"], rel=1e-3)


def test_a_job_of_other_processes_takes_turns(tmp_path: Path) -> None:
    peer = FakePeer("gloo", "works", tmp_path)  # a name that is known as one of a peer
    outcome = run(plan_of("all_reduce", peers=("gloo",)), just_allred, foreign=[peer])
    assert outcome.versions == {"gloo": "Fake 1.0"}
    assert outcome.remarks == []
    for record in outcome.records:
        own, fake = record["libraries"]
        assert (own["name"], fake["name"]) == ("allred", "gloo")
        assert (own["placement"], fake["placement"]) == ("in_place", "in_place")
        assert (own["wrong"], fake["wrong"]) == (0, 0)
        assert own["speedup"]["gloo"] == pytest.approx(fake["time_us"] / own["time_us"], rel=1e-3)
        assert "speedup" not in fake


@pytest.mark.parametrize(
    ("mode", "timeout", "shown"),
    [("dies", 60, "job fake: rank [01] ended.*rank 1 gives up"), ("hangs", 1, "rank 0 did not .*sleep_for_ever")],
)
def test_a_rank_that_dies_or_hangs_ends_the_run_and_is_shown(
    tmp_path: Path, mode: str, timeout: float, shown: str
) -> None:
    plan = plan_of("all_reduce", timeout=timeout)
    begin = time.monotonic()
    with pytest.raises(CommandFailed, match=f"(?s){shown}"):
        run(plan, just_allred, foreign=[FakePeer("fake", mode, tmp_path)])
    assert time.monotonic() - begin < 30
    assert [file.name for file in tmp_path.iterdir() if is_running(file.read_text())] == []


def test_ranks_that_do_not_come_are_missed(tmp_path: Path) -> None:
    class Nobody(FakePeer):
        def start(self, ranks: int, arguments: object, output: object) -> subprocess.Popen[bytes]:
            return subprocess.Popen(["sleep", "1000"])

    with pytest.raises(CommandFailed, match="job fake: not all ranks were ready within"):
        run(plan_of("all_reduce", timeout=0.5), just_allred, foreign=[Nobody("fake", "works", tmp_path)])
