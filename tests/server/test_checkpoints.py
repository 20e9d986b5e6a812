"""Checkpoints: training goes on from one as if it had never stopped, on any number of servers."""

from __future__ import annotations

import gc
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from server.models import assert_same, gradients, model

import allred
from allred.server import SGD, Adam, AdamW
from allred.server.checkpoint import Checkpoint
from allred.server.division import divide
from allred.server.shard import Contents

STEPS = 3


def train_steps(server: allred.ParameterServer, first: int) -> Any:
    for step in range(first, first + STEPS):
        if server.is_worker:
            server.push(gradients(9, step))
    return server.pull() if server.is_worker else None


def start(servers: list[int], optimizer: Any, save_to: Path | None) -> Any:
    """The values of one worker after some steps, at which they were saved, and after some more."""

    def run(comm: allred.Communicator) -> Any:
        with allred.ParameterServer(comm, model(), servers=servers, optimizer=optimizer, timeout=20) as server:
            first = train_steps(server, 0)
            if server.is_worker and save_to is not None:
                server.save(save_to)
            return first, train_steps(server, STEPS)

    return allred.run_threads(run, len(servers) + 1, timeout=20)[-1]


def resume(path: Path, servers: list[int], optimizer: Any) -> Any:
    """The values of a worker that goes on from a checkpoint: as restored, and after some more steps."""

    def run(comm: allred.Communicator) -> Any:
        with allred.ParameterServer.restore(path, comm, servers=servers, optimizer=optimizer, timeout=20) as server:
            restored = server.pull()
            return restored, train_steps(server, STEPS), server.status().steps if server.is_worker else None

    return allred.run_threads(run, len(servers) + 1, timeout=20)[-1]


@pytest.mark.parametrize("optimizer", [SGD(0.1, 0.9), AdamW(0.01)])
@pytest.mark.parametrize("restored_by", [1, 2, 5])
@pytest.mark.parametrize("saved_by", [1, 3])
def test_training_goes_on(tmp_path: Path, saved_by: int, restored_by: int, optimizer: Any) -> None:
    saved, expected = start(list(range(saved_by)), optimizer, tmp_path / "new" / "folder")
    servers = list(range(restored_by))
    restored, found, steps = resume(tmp_path / "new" / "folder", servers, optimizer)
    assert_same(restored, saved)
    assert_same(found, expected)
    assert steps == dict.fromkeys(servers, 2 * STEPS)


def test_a_checkpoint_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    start([0, 1, 2], SGD(0.1), tmp_path)
    before = set(tmp_path.iterdir())
    saved, _ = start([0, 1], Adam(), tmp_path)
    names = sorted(path.name.split("-")[:2] for path in tmp_path.iterdir())
    assert names == [["checkpoint.json"], ["shard", "000"], ["shard", "001"]]
    assert set(tmp_path.iterdir()) & before == {tmp_path / "checkpoint.json"}
    assert_same(resume(tmp_path, [0], Adam())[0], saved)


def test_a_save_that_fails_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second server's disk is full half-way through its file."""
    saved, _ = start([0, 1], SGD(0.1), tmp_path)
    true_savez = np.savez

    def savez(file: Any, **arrays: Any) -> None:
        if "shard-001" in file.name:
            file.write(b"half of it")
            raise OSError(28, "No space left on device")
        true_savez(file, **arrays)

    def run(comm: allred.Communicator) -> None:
        with allred.ParameterServer(comm, model(5), servers=[0, 1], optimizer=SGD(0.1), timeout=20) as server:
            if server.is_worker:
                with monkeypatch.context() as patch:
                    patch.setattr(np, "savez", savez)
                    with pytest.raises(
                        allred.SystemCallError, match=r"server rank 1 could not save.*No space left"
                    ) as info:
                        server.save(tmp_path)
                assert info.value.rank == 1
                assert_same(server.pull(), model(0 if comm.rank == 0 else 5))

    allred.run_threads(run, 3, timeout=20)
    assert_same(resume(tmp_path, [0, 1], SGD(0.1))[0], saved)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_state_that_is_no_array_is_not_saved(tmp_path: Path) -> None:
    def odd(parameter: Any, gradient: Any, state: dict[str, Any], step: int) -> None:
        state["odd"] = [1, 2, 3]

    def run(comm: allred.Communicator) -> None:
        with allred.ParameterServer(comm, model(), optimizer=odd, timeout=20) as server:
            if server.is_worker:
                server.push(gradients(1, 0))
                with pytest.raises(allred.SystemCallError, match="state 'odd' is of type list; expected an array"):
                    server.save(tmp_path)
                server.push(gradients(1, 0))

    allred.run_threads(run, 2, timeout=20)
    assert list(tmp_path.iterdir()) == []


def test_a_server_saves_what_its_workers_left(tmp_path: Path) -> None:
    def run(comm: allred.Communicator) -> Any:
        with allred.ParameterServer(comm, model(), optimizer=SGD(0.1), timeout=20) as server:
            values = train_steps(server, 0)
            server.wait()
            if not server.is_worker:
                server.save(tmp_path)
            return values

    values = allred.run_threads(run, 2, timeout=20)[1]
    assert_same(resume(tmp_path, [0], SGD(0.1))[0], values)


@pytest.mark.parametrize("broken", ["missing", "list", "shard"])
def test_what_is_no_checkpoint(tmp_path: Path, broken: str) -> None:
    """All ranks hear of it at once, also those that read no file but the list."""
    if broken != "missing":
        start([0], SGD(0.1), tmp_path)
    if broken == "list":
        (tmp_path / "checkpoint.json").write_text("{")
    if broken == "shard":
        (shard,) = tmp_path.glob("shard-*")
        shard.write_bytes(shard.read_bytes()[:-200])

    def run(comm: allred.Communicator) -> allred.Error:
        with pytest.raises((allred.InvalidArgumentError, allred.MismatchError)) as info:
            allred.ParameterServer.restore(tmp_path, comm, optimizer=SGD(0.1), timeout=20)
        comm.barrier()
        return info.value

    errors = allred.run_threads(run, 2, timeout=20)
    assert type(errors[0]) is allred.InvalidArgumentError
    assert str(tmp_path) in str(errors[0])
    assert str(tmp_path) in str(errors[1])


def test_threads_read_at_once(tmp_path: Path) -> None:
    """CPython's parser, with which numpy reads headers, does not survive two threads in some versions."""
    start([0, 1, 2], SGD(0.1, 0.9), tmp_path)
    saved = Checkpoint(tmp_path)
    layout = divide(saved.parameters, 1)[0]
    expected = saved.read(layout)

    def read(calls_below: int) -> list[Contents]:
        return read(calls_below - 1) if calls_below else [saved.read(layout) for _ in range(10)]

    threshold, interval = gc.get_threshold(), sys.getswitchinterval()
    let_others_run = lambda *_: time.sleep(0)  # noqa: E731
    gc.callbacks.append(let_others_run)  # a collection in the middle of parsing is where threads change
    try:
        gc.set_threshold(1)
        sys.setswitchinterval(1e-6)
        with ThreadPoolExecutor(5) as pool:
            found = [contents for each in pool.map(read, range(5)) for contents in each]
    finally:
        gc.callbacks.remove(let_others_run)
        gc.set_threshold(*threshold)
        sys.setswitchinterval(interval)
    assert all(np.array_equal(contents.values, expected.values) for contents in found)
