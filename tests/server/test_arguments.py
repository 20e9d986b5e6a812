"""What is wrong with an argument is said before any data moves, and all go on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from faults.outcomes import error_of, is_usable

import allred
from allred.server import SGD

ARRAYS = {"weight": np.zeros((3, 4), np.float32), "bias": np.zeros(4)}


def changed(name: str, array: Any) -> dict[str, Any]:
    return {**ARRAYS, name: array}


@pytest.mark.parametrize(
    ("parameters", "options", "words"),
    [
        ({}, {}, "parameters={}: expected at least one"),
        ([1], {}, "parameters is of type list; expected a mapping"),
        ({1: np.zeros(2)}, {}, "parameters has the key 1"),
        ({"a": [1.0]}, {}, "parameters['a'] is of type list; expected a numpy array"),
        ({"a": np.zeros(2, int)}, {}, "parameters['a'] is of dtype int64; expected float64, float32, float16"),
        (ARRAYS, {"servers": []}, "servers=[]: expected at least one rank"),
        (ARRAYS, {"servers": [2]}, "servers=[2]: 2 is not a rank: expected 0..1"),
        (ARRAYS, {"workers": [1, 1]}, "workers=[1, 1]: expected at least one rank, and none twice"),
        (ARRAYS, {"workers": "both"}, "workers='both': expected ranks"),
        (ARRAYS, {"mode": "fast"}, "mode='fast': expected 'asynchronous', 'synchronous', 'bounded'"),
        (ARRAYS, {"staleness": -1}, "staleness=-1: expected an integer of 0 or more"),
        (ARRAYS, {"optimizer": "SGD"}, "optimizer='SGD': expected SGD, Adam, AdamW or another callable"),
        (ARRAYS, {"timeout": 0}, "timeout=0: expected a number of seconds above 0"),
    ],
)
def test_one_rank_gives_what_is_wrong(parameters: Any, options: dict[str, Any], words: str) -> None:
    def run(comm: allred.Communicator) -> Any:
        if comm.rank == 0:
            error: Any = error_of(
                allred.InvalidArgumentError,
                lambda: allred.ParameterServer(comm, parameters, **({"optimizer": SGD(0.1)} | options)),
            )
        else:
            error = error_of(allred.MismatchError, lambda: allred.ParameterServer(comm, ARRAYS, optimizer=SGD(0.1)))
        assert is_usable(comm)
        return error

    for error in allred.run_threads(run, 2, timeout=20):
        assert words in str(error)


@pytest.mark.parametrize(
    ("parameters", "options", "words"),
    [
        (changed("bias", np.zeros(5)), {}, ["parameters must be the same", "rank 0 gave", "[4]", "rank 1", "[5]"]),
        (changed("more", np.zeros(5)), {}, ["parameters must be", "rank 0 gave no such, rank 1", "more"]),
        (ARRAYS, {"mode": "bounded"}, ["mode must be", "rank 0 gave asynchronous, rank 1 bounded"]),
        (ARRAYS, {"servers": [1]}, ["servers must be"]),
        (ARRAYS, {"timeout": 7}, ["timeout must be", "rank 0 gave 20.0, rank 1 7.0"]),
    ],
)
def test_ranks_that_differ(parameters: Any, options: dict[str, Any], words: list[str]) -> None:
    def run(comm: allred.Communicator) -> Any:
        given, extra = (parameters, options) if comm.rank == 1 else (ARRAYS, {})
        error = error_of(
            allred.MismatchError,
            lambda: allred.ParameterServer(comm, given, **({"optimizer": SGD(0.1), "timeout": 20} | extra)),
        )
        assert is_usable(comm)
        return error

    for error in allred.run_threads(run, 2, timeout=20):
        assert error.rank == 1
        for word in words:
            assert word in str(error)


def read_only() -> Any:
    array = np.zeros(4)
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda server: server.push(changed("weight", np.zeros((4, 3), np.float32))), "shape (4, 3); expected dtype"),
        (lambda server: server.push(changed("bias", np.zeros(4, np.float32))), "gradients['bias'] is of dtype float32"),
        (lambda server: server.push({"bias": np.zeros(4)}), "gradients lacks 'weight'; expected an array for each of"),
        (lambda server: server.push(changed("scale", np.zeros(4))), "gradients has 'scale', which is no parameter"),
        (lambda server: server.push(changed("bias", None)), "gradients['bias'] is of type NoneType"),
        (lambda server: server.push(None), "gradients is of type NoneType; expected a mapping"),
        (lambda server: server.pull(changed("bias", read_only())), "into['bias'] is read-only"),
        (lambda server: server.pull(changed("bias", np.zeros(8)[::2])), "into['bias'] is not C-contiguous"),
        (lambda server: server.pull(async_op=True), "into=None with async_op=True"),
    ],
)
def test_a_call_that_is_refused_changes_nothing(call: Any, words: str) -> None:
    def run(comm: allred.Communicator) -> None:
        with allred.ParameterServer(comm, ARRAYS, optimizer=SGD(1.0), timeout=20) as server:
            if comm.rank == 1:
                assert words in str(error_of(allred.InvalidArgumentError, call, server))
                server.push({name: np.ones_like(array) for name, array in ARRAYS.items()})
                assert all((array == -1).all() for array in server.pull().values())
                assert server.status().steps == {0: 1}

    allred.run_threads(run, 2, timeout=20)


def test_who_is_no_worker_does_not_push() -> None:
    def run(comm: allred.Communicator) -> None:
        with allred.ParameterServer(comm, ARRAYS, optimizer=SGD(1.0), timeout=20) as server:
            if comm.rank == 0:
                error = error_of(allred.InvalidArgumentError, server.push, ARRAYS)
                assert "push: rank 0 is no worker; workers=[1]" in str(error)
                assert (server.pull()["bias"] == 0).all()

    allred.run_threads(run, 2, timeout=20)


def test_who_has_closed_does_not_call() -> None:
    def run(comm: allred.Communicator) -> None:
        server = allred.ParameterServer(comm, ARRAYS, optimizer=SGD(1.0), timeout=20)
        server.close()
        server.close()
        for call in (server.pull, server.status, server.wait, lambda: server.push(ARRAYS), lambda: server.save("x")):
            assert "is closed" in str(error_of(allred.InvalidArgumentError, call))

    allred.run_threads(run, 2, timeout=20)
