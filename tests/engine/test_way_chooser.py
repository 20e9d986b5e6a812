"""Which of two ways is taken: the faster one, found again when that changes, at little cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from allred import _core

BYTES = 4 << 20  # so many that a turn is one call
WAYS = ("one_copy", "stream")
LONG = 20 * _core.WayChooser.period

Times = dict[str, int]


def ways_taken(
    chooser: _core.WayChooser, calls: int, times: Times | Callable[[int], Times], size: int = BYTES
) -> list[str]:
    """The way of each call, where the ways take that many nanoseconds."""
    ways = []
    for call in range(calls):
        way = chooser.choose(size)
        chooser.note(size, way, (times(call) if callable(times) else times)[way])
        ways.append(way)
    return ways


@pytest.mark.parametrize("faster", WAYS)
@pytest.mark.parametrize("slower_takes", [1100, 7000])
def test_it_settles_on_the_faster_way(faster: str, slower_takes: int) -> None:
    chooser = _core.WayChooser()
    times = {way: 1000 if way == faster else slower_takes for way in WAYS}
    start = ways_taken(chooser, _core.WayChooser.first_turns, times)
    assert Counter(start) == {way: len(start) // 2 for way in WAYS}
    first = Counter(ways_taken(chooser, _core.WayChooser.early_turns - len(start), times))
    assert first.total() - first[faster] <= _core.WayChooser.early_turns // _core.WayChooser.period_at_first
    later = Counter(ways_taken(chooser, LONG, times))
    assert later.total() - later[faster] == LONG // _core.WayChooser.period


@pytest.mark.parametrize("faster", WAYS)
def test_it_notices_that_the_way_it_takes_became_slower(faster: str) -> None:
    chooser = _core.WayChooser()
    other = WAYS[1 - WAYS.index(faster)]
    ways_taken(chooser, LONG, {faster: 1000, other: 2000})
    assert other in ways_taken(chooser, 8, {faster: 6000, other: 2000})
    settled = Counter(ways_taken(chooser, LONG, {faster: 6000, other: 2000}))
    assert settled[other] >= LONG - 2 * LONG // _core.WayChooser.period - 16


@pytest.mark.parametrize("faster", WAYS)
def test_it_notices_that_the_other_way_became_faster(faster: str) -> None:
    chooser = _core.WayChooser()
    other = WAYS[1 - WAYS.index(faster)]
    ways_taken(chooser, LONG, {faster: 1000, other: 3000})
    ways_taken(chooser, _core.WayChooser.period, {faster: 1000, other: 400})
    settled = Counter(ways_taken(chooser, LONG, {faster: 1000, other: 400}))
    assert settled[other] == LONG - LONG // _core.WayChooser.period


def test_a_call_that_is_held_up_changes_nothing() -> None:
    chooser = _core.WayChooser()
    times = {"one_copy": 1000, "stream": 1500}
    ways_taken(chooser, 10, times)
    held_up = lambda call: {way: 4_000_000 if call % 10 == 7 else taken for way, taken in times.items()}  # noqa: E731
    ways = Counter(ways_taken(chooser, LONG, held_up))
    assert (
        ways["stream"]
        <= LONG // _core.WayChooser.period + _core.WayChooser.early_turns // _core.WayChooser.period_at_first
    )


def test_sizes_have_choices_of_their_own() -> None:
    chooser = _core.WayChooser()
    for size, faster in ((64 << 10, "stream"), (128 << 10, "one_copy"), (16 << 20, "stream")):
        ways_taken(chooser, LONG, {way: 1000 if way == faster else 2000 for way in WAYS}, size)
    for size, faster in ((64 << 10, "stream"), (100 << 10, "stream"), (128 << 10, "one_copy"), (16 << 20, "stream")):
        assert [chooser.choose(size) for _ in range(4)][-1] == faster


def test_ranks_try_a_way_in_the_same_calls_whatever_their_times() -> None:
    """So that a way which takes the consent of all is tried at all."""
    likes_one_copy, likes_stream = _core.WayChooser(), _core.WayChooser()
    tried = Counter(
        zip(
            ways_taken(likes_one_copy, LONG, {"one_copy": 1000, "stream": 5000}),
            ways_taken(likes_stream, LONG, {"one_copy": 5000, "stream": 1000}),
            strict=True,
        )
    )
    assert tried["one_copy", "one_copy"] >= LONG // _core.WayChooser.period
    assert tried["stream", "stream"] >= LONG // _core.WayChooser.period
    assert tried["stream", "one_copy"] == 0


@pytest.mark.parametrize("size", [64 << 10, 100 << 10, 512 << 10, 3 << 20, 1 << 30])
def test_a_way_has_its_turn_for_as_long_as_it_takes_to_warm_up(size: int) -> None:
    """A stream that takes thrice as long until it has gone once round its memory is known by what it takes then."""
    calls = _core.WayChooser.calls_a_turn(size)
    assert 2 * calls * size >= (4 << 20)
    chooser = _core.WayChooser()
    in_a_row = 0
    ways = []
    for _ in range(LONG * calls):
        ways.append(chooser.choose(size))
        in_a_row = in_a_row + 1 if ways[-1] == "stream" else 0
        chooser.note(size, ways[-1], 1000 if ways[-1] == "one_copy" else 900 if in_a_row >= calls else 2700)
    assert Counter(ways[len(ways) // 2 :])["one_copy"] <= len(ways) // _core.WayChooser.period
