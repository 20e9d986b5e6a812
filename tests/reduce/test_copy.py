"""Copies by whole vectors, wherever source and destination begin and end, on every instruction set."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

import allred
from allred import _core

SIZES = (0, 1, 7, 63, 64, 65, 1000, 1087, 1088, 1089, 4096, 5003)  # bytes; lines are taken 1 KiB ahead
OFFSETS = (0, 1, 8, 16, 63)
GUARD = 64


@pytest.mark.parametrize("way", ["plain", "ahead", "past"])
@pytest.mark.parametrize("isa", _core.available_isas())
def test_all_that_is_meant_and_nothing_else(isa: str, way: str) -> None:
    data = np.random.default_rng(1).integers(1, 256, max(SIZES) + GUARD, np.uint8)
    for size, source, offset in product(SIZES, OFFSETS, OFFSETS):
        room = np.zeros(size + 2 * GUARD + max(OFFSETS), np.uint8)
        first = GUARD + offset
        _core.copy(room[first : first + size], data[source : source + size], way=way, isa=isa)
        np.testing.assert_array_equal(room[first : first + size], data[source : source + size])
        assert not room[:first].any()
        assert not room[first + size :].any()


def test_an_unknown_way_is_refused() -> None:
    with pytest.raises(allred.InvalidArgumentError, match="way='through': expected 'plain', 'ahead' or 'past'"):
        _core.copy(np.zeros(4, np.uint8), np.zeros(4, np.uint8), way="through")


def test_sizes_that_differ_are_refused() -> None:
    with pytest.raises(allred.InvalidArgumentError, match="a source has 3 elements, and the destination 4"):
        _core.copy(np.zeros(4, np.uint8), np.zeros(3, np.uint8))


@pytest.mark.parametrize("offset", [0, 4, 16, 60])
def test_arrays_begin_anywhere_in_a_page(offset: int) -> None:
    """Large arrays of numpy begin 16 bytes into one, tensors 64."""

    def run(comm: allred.Communicator) -> None:
        page = 4096
        for count in (700, 5_000, 70_003):
            raw = np.zeros(count * 4 + 2 * page, np.uint8)
            start = -raw.ctypes.data % page + offset
            array: np.ndarray[Any, np.dtype[np.float32]] = raw[start : start + count * 4].view(np.float32)
            array[:] = np.arange(count) % 1000 + comm.rank
            whole = comm.all_gather(array)
            comm.all_reduce(array)
            ranks = comm.size * (comm.size - 1) // 2
            np.testing.assert_array_equal(array, np.arange(count) % 1000 * comm.size + ranks)
            for rank in range(comm.size):
                np.testing.assert_array_equal(whole[rank], np.arange(count) % 1000 + rank)

    allred.run_threads(run, 3)
