"""One-shot or two-shot for AllReduces of middle size: the faster one, found again when that changes."""

from __future__ import annotations

from collections import Counter

import pytest

from allred import _core

PERIOD = _core.ShotChooser.period
TRIALS = _core.ShotChooser.trials
ALGORITHMS = ("one_shot", "two_shot")


def next_of(chooser: _core.ShotChooser, size_class: int) -> str:
    return "one_shot" if chooser.by_one_shot() >> size_class & 1 else "two_shot"


def algorithms_taken(chooser: _core.ShotChooser, calls: int, times: dict[str, int], size_class: int = 0) -> list[str]:
    """What each call goes by, where the algorithms take that many nanoseconds."""
    taken = []
    for _ in range(calls):
        algorithm = next_of(chooser, size_class)
        if chooser.begin(size_class):
            chooser.note(size_class, algorithm, times[algorithm])
        taken.append(algorithm)
    return taken


def times_where(faster: str) -> dict[str, int]:
    return {algorithm: 1000 if algorithm == faster else 1100 for algorithm in ALGORITHMS}


@pytest.mark.parametrize("faster", ALGORITHMS)
def test_it_tries_both_and_takes_the_faster_one(faster: str) -> None:
    taken = algorithms_taken(_core.ShotChooser(), 4 * PERIOD, times_where(faster))
    assert taken[: 2 * TRIALS] == ["two_shot"] * TRIALS + ["one_shot"] * TRIALS
    assert Counter(taken[2 * TRIALS :])[faster] == 4 * PERIOD - 2 * TRIALS - 3 * TRIALS


@pytest.mark.parametrize("faster", ALGORITHMS)
def test_it_notices_within_a_period_that_the_other_one_became_faster(faster: str) -> None:
    chooser = _core.ShotChooser()
    algorithms_taken(chooser, PERIOD + PERIOD // 2, times_where(ALGORITHMS[1 - ALGORITHMS.index(faster)]))
    algorithms_taken(chooser, PERIOD, times_where(faster))
    assert set(algorithms_taken(chooser, PERIOD // 4, times_where(faster))) == {faster}


def test_calls_that_are_held_up_change_nothing() -> None:
    chooser = _core.ShotChooser()
    times = times_where("one_shot")
    for call in range(2 * TRIALS):
        algorithm = next_of(chooser, 0)
        assert chooser.begin(0)
        chooser.note(0, algorithm, times[algorithm] + (0 if call % 4 == 1 else 1_000_000))
    assert set(algorithms_taken(chooser, PERIOD // 2, times)) == {"one_shot"}


def test_classes_have_choices_of_their_own() -> None:
    chooser = _core.ShotChooser()
    faster = [ALGORITHMS[size_class % 2] for size_class in range(_core.ShotChooser.num_classes)]
    for size_class, algorithm in enumerate(faster):
        algorithms_taken(chooser, PERIOD // 2, times_where(algorithm), size_class)
    assert [next_of(chooser, size_class) for size_class in range(len(faster))] == faster


@pytest.mark.parametrize("most", [0, 1, 6, 16 << 10])
def test_classes_are_doublings_up_to_the_limit(most: int) -> None:
    none = _core.ShotChooser.none
    for size in range(2 * most + 2):
        expected = next((c for c in range(3) if most >> (c + 1) < size <= most >> c), none)
        assert _core.ShotChooser.class_of(size, most) == expected
