"""Breaks schedules on purpose: verify must notice, and say so in words that lead to the mistake."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allred import _core

Schedules = list[_core.Schedule]
Mutation = Callable[[_core.Step], None]


@dataclass(frozen=True)
class Case:
    collective: str
    algorithm: str
    size: int
    count: int
    root: int = 0

    def make(self) -> Schedules:
        return [
            _core.make_schedule(self.collective, self.algorithm, rank, self.size, self.count, self.root)
            for rank in range(self.size)
        ]

    def verify(self, schedules: Schedules) -> list[str]:
        return _core.verify_schedules(schedules, self.collective, self.count, self.root)


RING = Case("all_reduce", "ring", 5, 7)
DOUBLING = Case("all_reduce", "recursive_doubling", 4, 3)
REDUCE = Case("reduce", "binomial_tree", 4, 3)
BROADCAST = Case("broadcast", "binomial_tree", 4, 3)
GATHER = Case("gather", "linear", 4, 3, 3)
SCATTER = Case("scatter", "linear", 4, 3)
EXCHANGE = Case("all_to_all", "pairwise", 4, 3)
BARRIER = Case("barrier", "dissemination", 4, 0)


def change(schedule: _core.Schedule, idx: int, mutation: Mutation) -> None:
    steps = schedule.steps
    mutation(steps[idx])
    schedule.steps = steps


def drop(schedule: _core.Schedule, idx: int) -> None:
    """Takes a step out; what was after it is now after what it was after itself."""
    steps = schedule.steps
    inherited = steps[idx].after
    del steps[idx]
    for step in steps[idx:]:
        after = {each for earlier in step.after for each in (inherited if earlier == idx else [earlier])}
        step.after = sorted(earlier - (earlier > idx) for earlier in after)
    schedule.steps = steps


def find(schedule: _core.Schedule, kind: str, nth: int = 0) -> int:
    return [idx for idx, step in enumerate(schedule.steps) if step.kind == kind][nth]


def assert_explained(problems: list[str], pattern: str) -> None:
    assert any(re.search(pattern, problem) for problem in problems), problems


def set_kind(kind: str) -> Mutation:
    return lambda step: setattr(step, "kind", kind)


def set_peer(peer: int) -> Mutation:
    return lambda step: setattr(step, "peer", peer)


def set_after(after: list[int]) -> Mutation:
    return lambda step: setattr(step, "after", after)


def set_range(buffer: str, offset: int, count: int) -> Mutation:
    return lambda step: setattr(step, "range", _core.Range(buffer, offset, count))


@pytest.mark.parametrize(
    ("case", "kind", "mutation", "pattern"),
    [
        (RING, "send", set_peer(2), r"rank 3 step \d+ \(send 1 element to 2\) meets nothing: rank 2 takes only 0 mess"),
        (RING, "send", set_peer(3), r"rank 3 step \d+ \(send 1 element to 3\) has its own rank as peer"),
        (RING, "send", set_peer(5), "has a peer that is not one of the 5 ranks"),
        (
            RING,
            "send",
            set_range("input", 0, 2),
            r"\(send 2 elements to 4\) meets rank 4 step \d+ \(recv_reduce 1 elem",
        ),
        (RING, "send", set_range("output", 6, 2), r"touches output\[6..8\), but this rank's output has 7 elements"),
        (RING, "send", set_range("input", 0, 1), r"output\[5..6\) combines elements from different places"),
        (
            RING,
            "send",
            set_range("output", 0, 1),
            r"^race: rank 3 .* not ordered after step 0 \(send .*output\[0..1\)$",
        ),
        (RING, "recv_reduce", set_range("input", 0, 1), "writes the input"),
        (RING, "recv_reduce", set_kind("recv"), r"rank \d output\[\d..\d\) lacks that of rank 3$"),
        (RING, "recv", set_kind("recv_reduce"), r"rank 3 .* reads output\[5..6\), where nothing has been written"),
        (RING, "send", set_after([99]), "is after step 99, which does not come before it"),
        (RING, "recv", set_after([]), r"race in place: rank 3 step \d+ \(recv .* is not ordered after step \d+ \(send"),
        (
            DOUBLING,
            "recv_reduce",
            set_after([]),
            r"race: rank 3 step 2 .* not ordered after step 0 \(copy input\[0..3\)",
        ),
        (REDUCE, "send", set_range("output", 0, 3), r"touches output\[0..3\), but this rank's output has 0 elements"),
        (BROADCAST, "recv", set_kind("recv_reduce"), r"reads output\[0..3\), where nothing has been written"),
        (GATHER, "recv", set_range("output", 3, 3), r"race: rank 3 .* not ordered after step 0"),
        (GATHER, "copy", set_range("output", 6, 3), r"race: rank 3 .* both touch output\[6..9\)"),
        (SCATTER, "recv", set_range("output", 0, 2), r"rank 0 step \d \(send 3 elements to 3\) meets rank 3 step 0"),
        (EXCHANGE, "send", set_range("input", 6, 3), r"rank 0 output\[9..12\) holds elements from 6 on, not from 0"),
        (EXCHANGE, "recv", set_kind("recv_reduce"), r"reads output\[6..9\), where nothing has been written"),
        (BARRIER, "recv", set_range("output", 0, 1), r"this rank's output has 0 elements"),
    ],
)
def test_a_changed_step_is_explained(case: Case, kind: str, mutation: Mutation, pattern: str) -> None:
    schedules = case.make()
    change(schedules[3], find(schedules[3], kind), mutation)
    assert_explained(case.verify(schedules), pattern)


def test_a_contribution_counted_twice_and_one_that_is_lacking() -> None:
    case = Case("reduce", "binomial_tree", 3, 4)
    schedules = case.make()
    change(schedules[0], find(schedules[0], "recv_reduce", 1), set_peer(1))
    steps = schedules[1].steps
    schedules[1].steps = [steps[0], _core.Step("send", 0, _core.Range("input", 0, 4))]
    schedules[2].steps = []
    assert case.verify(schedules) == [
        "rank 0 output[0..4) holds the contribution of rank 1 more than once and lacks that of rank 2"
    ]


def test_a_message_from_the_wrong_place() -> None:
    case = Case("all_gather", "ring", 3, 2)
    schedules = case.make()
    change(schedules[0], find(schedules[0], "recv"), set_range("output", 2, 2))
    change(schedules[0], find(schedules[0], "recv", 1), set_range("output", 4, 2))
    assert_explained(
        case.verify(schedules), r"rank 0 output\[2..4\) lacks that of rank 1 and holds that of rank 2, which"
    )


def test_a_barrier_that_lets_a_rank_out_too_early() -> None:
    schedules = BARRIER.make()
    change(schedules[2], find(schedules[2], "send", 1), set_after([]))
    assert BARRIER.verify(schedules) == ["rank 0 may leave the barrier before rank 1 has entered"]


def test_deadlock_of_ranks_that_all_receive_first() -> None:
    everything = _core.Range("output", 0, 4)
    schedules = []
    for rank in range(2):
        own = _core.Step("copy", range=everything, source=_core.Range("input", 0, 4))
        recv = _core.Step("recv_reduce", 1 - rank, everything, after=[0])
        send = _core.Step("send", 1 - rank, everything, after=[1])
        schedules.append(_core.Schedule(rank, 2, 0, [own, recv, send]))
    (problem,) = _core.verify_schedules(schedules, "all_reduce", 4)
    assert re.fullmatch(r"deadlock: rank \d step \d \(.*\) waits for rank .*, which waits for the first", problem)
    assert problem.count("rank") == 4


def test_deadlock_of_sends_that_must_end_before_either_is_taken() -> None:
    """Exchanges are fine over one range, segment by segment, but not when each rank first sends the whole message."""
    schedules = []
    for rank in range(2):
        send = _core.Step("send", 1 - rank, _core.Range("input", 0, 2))
        own = _core.Step("copy", range=_core.Range("output", 2 * rank, 2), source=_core.Range("input", 0, 2))
        recv = _core.Step("recv", 1 - rank, _core.Range("output", 2 * (1 - rank), 2))
        schedules.append(_core.Schedule(rank, 2, 0, [send, own, recv]))
    assert _core.verify_schedules(schedules, "all_gather", 2) == []
    for schedule in schedules:
        change(schedule, 2, set_after([0]))
    assert_explained(_core.verify_schedules(schedules, "all_gather", 2), "^deadlock: ")


def test_sums_in_another_order_on_each_rank_are_not_identical_bits() -> None:
    """Three ranks send their inputs to each other: (0 + 1) + 2, (1 + 0) + 2, but (2 + 0) + 1."""
    output = _core.Range("output", 0, 5)
    schedules = []
    for rank in range(3):
        peers = [peer for peer in range(3) if peer != rank]
        steps = [_core.Step("copy", range=output, source=_core.Range("input", 0, 5))]
        steps.extend(_core.Step("send", peer, output, after=[0]) for peer in peers)
        steps.append(_core.Step("recv_reduce", peers[0], output, after=[1, 2]))
        steps.append(_core.Step("recv_reduce", peers[1], output, after=[3]))
        schedules.append(_core.Schedule(rank, 3, 0, steps))
    assert _core.verify_schedules(schedules, "all_reduce", 5) == [
        "rank 2 output[0..5) is combined in another association than on rank 0, so the bits may differ"
    ]


def test_schedules_of_other_ranks_or_too_few_of_them() -> None:
    schedules = RING.make()
    assert_explained(RING.verify(schedules[:4]), "the schedule given for rank 0 of 4 is for rank 0 of 5")
    schedules[1], schedules[2] = schedules[2], schedules[1]
    assert_explained(RING.verify(schedules), "the schedule given for rank 1 of 5 is for rank 2 of 5")


CASES = st.builds(
    lambda pair, size, count, root: Case(pair[0], pair[1], size, 0 if pair[0] == "barrier" else count, root % size),
    st.sampled_from(_core.schedule_algorithms()),
    st.integers(2, 9),
    st.integers(1, 40),
    st.integers(0, 8),
)


@settings(deadline=None)
@given(case=CASES, data=st.data())
def test_dropping_any_step_is_noticed(case: Case, data: st.DataObject) -> None:
    schedules = case.make()
    schedule = data.draw(st.sampled_from([each for each in schedules if each.steps]))
    drop(schedule, data.draw(st.integers(0, len(schedule.steps) - 1)))
    assert case.verify(schedules)


@settings(deadline=None)
@given(case=CASES, data=st.data())
def test_changing_any_step_is_noticed(case: Case, data: st.DataObject) -> None:
    schedules = case.make()
    schedule = data.draw(st.sampled_from([each for each in schedules if each.steps]))
    idx = data.draw(st.integers(0, len(schedule.steps) - 1))
    step = schedule.steps[idx]
    mutations = {
        "longer": set_range(step.range.buffer, step.range.offset, step.range.count + 1),
        "elsewhere": set_range(step.range.buffer, step.range.offset + 1, step.range.count),
    }
    if step.kind != "copy":
        mutations["peer"] = set_peer((step.peer + 1) % case.size)
        mutations["direction"] = set_kind("recv" if step.kind == "send" else "send")
    if step.kind == "recv" and step.range.count > 0:
        mutations["reduce"] = set_kind("recv_reduce")
    if step.kind == "recv_reduce":
        mutations["overwrite"] = set_kind("recv")
    change(schedule, idx, mutations[data.draw(st.sampled_from(sorted(mutations)))])
    assert case.verify(schedules)


@pytest.mark.parametrize("size", [2, 3, 4, 5])
@pytest.mark.parametrize(
    ("collective", "algorithm"), [each for each in _core.schedule_algorithms() if each[0] != "barrier"]
)
def test_no_step_waits_without_need(collective: str, algorithm: str, size: int) -> None:
    """Each entry of each `after` prevents a race: schedules overlap as much as the data allow."""
    case = Case(collective, algorithm, size, 7)
    for rank, schedule in enumerate(case.make()):
        for idx, step in enumerate(schedule.steps):
            for entry in step.after:
                mutated = case.make()
                change(mutated[rank], idx, set_after([each for each in step.after if each != entry]))
                assert_explained(case.verify(mutated), f"^race.*: rank {rank} step ")
