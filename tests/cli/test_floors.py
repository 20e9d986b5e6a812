"""allred._floors: the reference exchanges compute what they should, and none waits for ever."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from typing import Any

import numpy as np
import pytest

from allred import _floors

TIMEOUT = 20.0
PIECE = 384  # bytes: whole lines for 2 and 3 ranks
Call = Callable[[], None]


def shared_file(size: int) -> int:
    file = os.memfd_create("floors")
    os.ftruncate(file, _floors.Team.file_bytes(size))
    return file


def on_threads(size: int, body: Callable[[_floors.Team], Any]) -> list[Any]:
    """What `body` returns on each rank of a team of threads."""
    file = shared_file(size)
    with ThreadPoolExecutor(size, thread_name_prefix="rank ") as pool:
        found = pool.map(lambda rank: body(_floors.Team(file, rank, size, timeout=TIMEOUT)), range(size))
        results = list(found)
    os.close(file)
    return results


def exchange(name: str, team: _floors.Team, given: Any, taken: Any, isa: str = "auto") -> Call:
    kind, _, write = name.partition(" ")
    if kind == "read_peers":
        return _floors.read_peers(team, given, taken, piece_bytes=PIECE, isa=isa)
    prepare = {"one_shot": _floors.one_shot, "two_shot": _floors.two_shot, "answered": _floors.answered}[kind]
    return prepare(team, given, taken, piece_bytes=PIECE, non_temporal=write == "non-temporal", isa=isa)


EXCHANGES = [
    *(f"{kind} {write}" for kind in ("one_shot", "two_shot", "answered") for write in ("cached", "non-temporal"))
]
EXCHANGES += ["read_peers"]
# Nothing, notes, less than a line, odd tails, a whole piece, many rounds, and more than is prefetched ahead.
COUNTS = (0, 1, 13, 14, 15, 95, 96, 97, 1009, 5003)


def inputs_of(size: int, count: int, call: int) -> list[Any]:
    generator = np.random.default_rng((size, count, call))
    return [generator.standard_normal(count, np.float32) for _ in range(size)]


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("size", [2, 3])
def test_exchanges_add_up(size: int, in_place: bool) -> None:
    """Exchanges of all kinds follow each other on one team, so that what one leaves behind would spoil the next."""
    isas = _floors.available_isas()
    names = random.Random(0).choices(EXCHANGES, k=len(COUNTS) * 3 * len(EXCHANGES))  # any may follow any
    calls = list(zip(names, cycle(COUNTS), strict=False))

    def rank(team: _floors.Team) -> list[Any]:
        outputs = []
        for number, (name, count) in enumerate(calls):
            given = inputs_of(size, count, number)[team.rank]
            guarded = np.full(count + 2, -1, np.float32)
            taken = given if in_place else guarded[1:-1]
            exchange(name, team, given, taken, isas[number % len(isas)])()
            assert guarded[0] == guarded[-1] == -1
            outputs.append(taken)
        return outputs

    ranks = on_threads(size, rank)
    for number, (name, count) in enumerate(calls):
        inputs = inputs_of(size, count, number)
        expected = inputs[0] + inputs[1] + (inputs[2] if size == 3 else np.float32(0))  # in rank order: the same bits
        for outputs in ranks:
            assert np.array_equal(outputs[number], expected), (name, count)


def test_exchanges_of_the_most_ranks() -> None:
    def rank(team: _floors.Team) -> Any:
        with pytest.raises(ValueError, match="a piece has 384 bytes; expected a multiple of 512 up to 33554432"):
            _floors.one_shot(team, np.zeros(1, np.float32), np.zeros(1, np.float32), piece_bytes=384, non_temporal=True)
        array = np.full(701, 2.0**team.rank, np.float32)
        _floors.two_shot(team, array, array, piece_bytes=1024, non_temporal=False)()
        _floors.one_shot(team, array, array, piece_bytes=1024, non_temporal=True)()
        _floors.answered(team, array, array, piece_bytes=1024, non_temporal=False)()
        return array

    for array in on_threads(8, rank):
        assert (array == 8 * 8 * 255).all()


PROCESS = """
import os, sys
import numpy as np
from allred import _floors
rank = int(sys.argv[2])
team = _floors.Team(int(sys.argv[1]), rank, 2, timeout=20)
array = np.arange(30011, dtype=np.float32) * (rank + 1)
for call in (1, 2):
    if team.reads_peers:
        _floors.read_peers(team, array, array, piece_bytes=4096)()
    else:
        _floors.two_shot(team, array, array, piece_bytes=4096, non_temporal=True)()
assert np.array_equal(array, np.arange(30011, dtype=np.float32) * 6), array
for _ in range(50):
    _floors.round_trip(team)()
    _floors.barrier(team)()
"""


def test_processes_read_each_other() -> None:
    file = shared_file(2)
    commands = [[sys.executable, "-c", PROCESS, str(file), str(rank)] for rank in range(2)]
    ranks = [subprocess.Popen(command, pass_fds=[file], stderr=subprocess.PIPE, text=True) for command in commands]
    os.close(file)
    for rank in ranks:
        _, errors = rank.communicate(timeout=60)
        assert rank.returncode == 0, errors


def test_a_barrier_holds_until_all_have_come() -> None:
    arrivals: list[int] = []

    def rank(team: _floors.Team) -> None:
        barrier = _floors.barrier(team)
        for turn in range(20):
            arrivals.append(turn)
            barrier()
            assert arrivals.count(turn) == 3
            barrier()

    on_threads(3, rank)


def abandoned(name: str) -> str:
    """What a call says whose peer has joined the team and is never heard of again."""
    file = shared_file(2)

    def rank(rank: int) -> str:
        team = _floors.Team(file, rank, 2, timeout=1.5)
        array = np.ones(500, np.float32)
        signals = {"flag": _floors.round_trip, "barrier": _floors.barrier}
        call = signals[name](team) if name in signals else exchange(name, team, array, array)
        if rank == 1:
            return ""
        with pytest.raises(TimeoutError) as raised:
            call()
        return str(raised.value)

    with ThreadPoolExecutor(2) as pool:
        message, _ = pool.map(rank, range(2))
    os.close(file)
    return message


def test_a_peer_that_never_comes_is_an_error() -> None:
    names = ["flag", "barrier", *EXCHANGES]
    with ThreadPoolExecutor(len(names)) as pool:
        assert set(pool.map(abandoned, names)) == {"rank 0 waited 1.5 s for rank 1, which did not come"}


def test_a_team_that_does_not_gather_is_an_error() -> None:
    file = shared_file(2)
    with pytest.raises(TimeoutError, match=r"rank 1 waited 0\.1 s for rank 0, which did not come"):
        _floors.Team(file, 1, 2, timeout=0.1)
    os.close(file)


@pytest.mark.parametrize("isa", _floors.available_isas())
@pytest.mark.parametrize("count", [0, 1, 7, 63, 64, 65, 1009])
def test_update_reads_and_writes_every_byte(count: int, isa: str) -> None:
    key = 0x0123456789ABCDEF
    array = np.random.default_rng(count).integers(0, 256, count, np.uint8)
    mask = np.frombuffer(np.uint64(key).tobytes() * (count // 8 + 1), np.uint8)[:count]
    expected = array ^ mask
    _floors.update(array, key, isa=isa)()
    assert np.array_equal(array, expected)


def test_copy_gathers_and_scatters_blocks() -> None:
    block, whole = np.arange(5.0), np.zeros(15)
    _floors.copy(whole, block)()
    assert np.array_equal(whole, np.tile(block, 3))
    whole[10:] = 7
    _floors.copy(block, whole)()
    assert (block == 7).all()


def test_wrong_arguments_are_named() -> None:
    file = shared_file(1)
    with pytest.raises(ValueError, match="size is 65; expected 1 to 64"):
        _floors.Team(file, 0, 65, timeout=1)
    with pytest.raises(ValueError, match="rank is 1; expected 0 to 0"):
        _floors.Team(file, 1, 1, timeout=1)
    with pytest.raises(ValueError, match=r"file has \d+ bytes; expected \d+ of zeros"):
        _floors.Team(file, 0, 2, timeout=1)
    team = _floors.Team(file, 0, 1, timeout=1)
    os.close(file)
    floats = np.zeros(8, np.float32)
    with pytest.raises(ValueError, match="an exchange is for 2 to 8 ranks, and the team has 1"):
        _floors.one_shot(team, floats, floats, piece_bytes=PIECE, non_temporal=False)
    with pytest.raises(ValueError, match="input has 8 elements and output 3"):
        _floors.one_shot(team, floats, floats[:3], piece_bytes=PIECE, non_temporal=False)
    with pytest.raises(ValueError, match="input has elements of format 'd'; expected 'f', float32"):
        _floors.one_shot(team, floats.astype(np.float64), floats, piece_bytes=PIECE, non_temporal=False)
    with pytest.raises(ValueError, match="isa is 'mmx'; this machine has auto, baseline"):
        _floors.update(floats, isa="mmx")
    with pytest.raises(ValueError, match="buffer is not contiguous"):
        _floors.update(floats[::2])
