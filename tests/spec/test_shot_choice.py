"""AllReduces of middle size go by one-shot or two-shot, as rank 0 finds: on all ranks alike, whatever comes between."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tracing.timeline import Timeline

import allred
from allred import _core

COUNT = 1000  # float32: of the middle sizes, for up to four ranks
TURNS = 2 * _core.ShotChooser.trials + 20
TOO_LARGE = np.zeros(1 << 20, np.float32)


def all_reduce(comm: allred.Communicator, turn: int) -> None:
    array = (np.arange(COUNT) % 7 + turn + comm.rank).astype(np.float32)
    expected = sum((np.arange(COUNT) % 7 + turn + rank).astype(np.float32) for rank in range(comm.size))
    comm.all_reduce(array)
    np.testing.assert_array_equal(array, expected)


def refuse(comm: allred.Communicator) -> None:
    with pytest.raises(allred.Error, match="one_shot carries at most"):
        comm.all_reduce(TOO_LARGE, algorithm="one_shot")


@pytest.mark.parametrize("size", [2, 3])
def test_ranks_stay_in_step_where_one_refuses_calls(size: int) -> None:
    """It goes on before it has heard what rank 0 said meanwhile."""

    def run(comm: allred.Communicator) -> None:
        for turn in range(TURNS):
            all_reduce(comm, turn)
            if turn % 3 == 0:
                continue
            for _ in range(turn % 3):
                if comm.rank == turn % size:
                    refuse(comm)
                    continue
                with pytest.raises(allred.Error, match="refused"):
                    comm.all_reduce(np.zeros(COUNT, np.float32))

    allred.run_threads(run, size)


@pytest.mark.parametrize("number", [0, 1 << 14])
def test_both_are_tried_where_the_tuning_permits_it(number: int, tmp_path: Path) -> None:
    cores: list[int] = []

    def run(comm: allred.Communicator) -> None:
        cores.append(comm.num_cores)
        for turn in range(TURNS):
            all_reduce(comm, turn)

    with allred.trace(tmp_path / "trace.json"):
        allred.run_threads(run, 2, tuning={"one_shot_trial_bytes": number, "one_shot_bytes_shared": 0})
    calls = Timeline(tmp_path / "trace.json").of("call")
    calls = [call for call in calls if call.name == "all_reduce"]
    assert len(calls) == 2 * TURNS
    tries = number != 0 and cores[0] >= 2
    assert {call.args["algorithm"] for call in calls} == ({"one_shot", "two_shot"} if tries else {"two_shot"})
