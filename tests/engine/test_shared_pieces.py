"""How two ranks divide a message: each piece is copied once, and nobody is at it when it is over."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allred import _core


def test_they_meet_wherever_they_do() -> None:
    pieces = _core.SharedPieces()
    turn = pieces.open(4)
    assert [pieces.take_first(), pieces.take_last(turn), pieces.take_first()] == [0, 3, 1]
    pieces.finish()
    assert pieces.take_last(turn) == 2
    assert pieces.take_first() is None
    assert not pieces.is_over()
    pieces.finish()
    assert pieces.is_over()


def test_a_sender_that_is_elsewhere_leaves_all_to_the_receiver() -> None:
    pieces = _core.SharedPieces()
    pieces.open(3)
    assert [pieces.take_first() for _ in range(4)] == [0, 1, 2, None]
    assert pieces.is_over()


def test_what_the_sender_cannot_copy_the_receiver_does() -> None:
    pieces = _core.SharedPieces()
    turn = pieces.open(2)
    assert [pieces.take_last(turn), pieces.take_first(), pieces.take_first()] == [1, 0, None]
    pieces.give_back()
    assert not pieces.is_over()
    assert pieces.take_first() == 1
    assert pieces.is_over()


def test_the_sender_of_an_earlier_message_gets_nothing_of_a_later_one() -> None:
    pieces = _core.SharedPieces()
    turns = []
    for _ in range(5):
        turns.append(pieces.open(2))
        pieces.take_first()
        pieces.take_first()
    assert len(set(turns)) == 5
    later = pieces.open(2)
    assert [pieces.take_last(turn) for turn in turns] == [None] * 5
    assert pieces.take_last(later) == 1


@pytest.mark.parametrize("end", ["finish", "give_back"])
def test_a_receiver_that_gives_up_waits_for_the_piece_that_is_being_copied(end: str) -> None:
    pieces = _core.SharedPieces()
    turn = pieces.open(9)
    assert pieces.take_last(turn) == 8
    pieces.close()
    assert not pieces.is_over()
    assert pieces.take_last(turn) is None
    getattr(pieces, end)()
    pieces.close()
    assert pieces.is_over()
    assert pieces.take_last(turn) is None


@given(st.integers(1, 12), st.lists(st.sampled_from(["first", "last", "finish", "give_back"]), max_size=60))
def test_each_piece_is_copied_once_in_any_order_of_steps(num_pieces: int, steps: list[str]) -> None:
    pieces = _core.SharedPieces()
    turn = pieces.open(num_pieces)
    copied: list[int] = []
    held: int | None = None
    for step in [*steps, "finish", *["first"] * num_pieces]:
        if step == "first":
            piece = pieces.take_first()
            copied += [] if piece is None else [piece]
        elif step == "last" and held is None:
            held = pieces.take_last(turn)
        elif step in ("finish", "give_back") and held is not None:
            copied += [held] if step == "finish" else []
            getattr(pieces, step)()
            held = None
        assert pieces.is_over() == (sorted(copied) == list(range(num_pieces)) and held is None)
    assert sorted(copied) == list(range(num_pieces))


def test_both_at_once() -> None:
    pieces = _core.SharedPieces()
    for count in (1, 2, 1000, 50_000):
        turn = pieces.open(count)
        by_sender: list[int] = []

        def send(turn: int = turn, taken: list[int] = by_sender) -> None:
            while (piece := pieces.take_last(turn)) is not None:
                taken.append(piece)
                pieces.finish()

        sender = threading.Thread(target=send)
        sender.start()
        by_receiver = list(iter(pieces.take_first, None))
        sender.join(30)
        assert pieces.is_over()
        assert by_receiver + by_sender[::-1] == list(range(count))
