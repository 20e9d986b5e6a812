"""The interpreter and the core: the GIL, objects and their text, and a Python without torch."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
import weakref

import numpy as np
import pytest

import allred
from allred import _core


def test_a_waiting_rank_does_not_hold_the_gil() -> None:
    """Else the thread that it waits for could never come."""
    counted = []

    def run(comm: allred.Communicator) -> None:
        if comm.rank == 0:
            comm.barrier()
            assert counted
            return
        since = time.monotonic()
        steps = 0
        while time.monotonic() - since < 0.2:
            steps += 1
        counted.append(steps)
        comm.barrier()

    for wait in ("spin", "yield", "sleep"):
        counted.clear()
        allred.run_threads(run, 2, wait=wait, timeout=30)
        assert counted[0] > 1000


def test_waiting_for_a_work_does_not_hold_the_gil() -> None:
    def run(comm: allred.Communicator) -> None:
        if comm.rank == 0:
            comm.all_reduce(np.ones(4), async_op=True).wait()
        else:
            time.sleep(0.1)
            comm.all_reduce(np.ones(4), async_op=True).wait(timeout=30)

    allred.run_threads(run, 2, timeout=30)


def test_a_communicator_is_freed() -> None:
    weak: list[weakref.ref[allred.Communicator]] = []

    def run(comm: allred.Communicator) -> None:
        weak.append(weakref.ref(comm))
        comm.all_reduce(np.ones(3), async_op=True).wait()

    allred.run_threads(run, 2)
    gc.collect()
    assert [each() for each in weak] == [None, None]


def test_a_communicator_may_be_dropped_with_a_call_under_way() -> None:
    rendezvous = _core.InProcessRendezvous(2, 30.0)
    opened: dict[int, allred.Communicator] = {}

    def start(rank: int) -> None:
        opened[rank] = allred.Communicator(_core.InProcessBootstrap(rendezvous, rank), allred.Config(timeout=30))

    starting = [threading.Thread(target=start, args=(rank,)) for rank in range(2)]
    for thread in starting:
        thread.start()
    for thread in starting:
        thread.join()
    works = [opened[0].all_reduce(np.ones(4), async_op=True) for _ in range(3)]
    del opened[0]
    gc.collect()
    for work in works:
        with pytest.raises(allred.AbortedError, match="closed"):
            work.wait()
    with pytest.raises((allred.PeerLostError, allred.AbortedError), match="rank 0"):
        opened[1].barrier()


def test_what_a_bootstrap_raises_is_raised() -> None:
    class Failing(_core.Bootstrap):
        def rank(self) -> int:
            return 0

        def size(self) -> int:
            return 2

        def all_gather(self, blob: bytes) -> list[bytes]:
            raise ConnectionError("no way out")

    with pytest.raises(ConnectionError, match="no way out"):
        allred.Communicator(Failing(), allred.Config(timeout=5))


def test_what_a_bootstrap_returns_is_checked() -> None:
    class Short(_core.Bootstrap):
        def rank(self) -> int:
            return 0

        def size(self) -> int:
            return 2

        def all_gather(self, blob: bytes) -> list[bytes]:
            return [blob]

    with pytest.raises(allred.InvalidArgumentError, match=r"1 blobs.*2"):
        allred.Communicator(Short(), allred.Config(timeout=5))


def test_errors_are_those_that_python_programs_look_for() -> None:
    assert issubclass(allred.InvalidArgumentError, ValueError)
    assert issubclass(allred.TimeoutError, TimeoutError)
    assert issubclass(allred.UnsupportedError, NotImplementedError)
    for kind in (allred.MismatchError, allred.PeerLostError, allred.AbortedError, allred.SystemCallError):
        assert issubclass(kind, allred.Error)
    assert issubclass(allred.Error, RuntimeError)


def test_a_communicator_says_what_it_is() -> None:
    def run(comm: allred.Communicator) -> str:
        assert (comm.size, comm.config.timeout) == (3, 12.5)
        return repr(comm)

    texts = allred.run_threads(run, 3, timeout=12.5)
    for rank, text in enumerate(texts):
        assert f"rank {rank} of 3" in text


WITHOUT_TORCH = """
import sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "mpi4py"):
            raise ImportError(f"{name} is not installed")

sys.meta_path.insert(0, NoTorch())
import numpy as np
import allred

def run(comm):
    array = np.ones(10, np.float32)
    comm.all_reduce(array)
    comm.all_reduce(array, async_op=True).wait()
    return array.sum()

assert allred.run_threads(run, ranks=3) == [90, 90, 90]
with allred.init() as comm:
    assert comm.size == 1
    assert comm.all_gather([1, 2]).tolist() == [[1, 2]]
assert "torch" not in sys.modules and "mpi4py" not in sys.modules
print("ok")
"""


def test_allred_works_without_torch_and_mpi4py() -> None:
    ended = subprocess.run([sys.executable, "-c", WITHOUT_TORCH], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "ok\n", "")


def test_importing_allred_does_not_import_numpy_or_torch() -> None:
    program = "import allred, sys; print([name for name in ('torch', 'numpy', 'mpi4py') if name in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (ended.stdout, ended.stderr) == ("[]\n", "")
