"""Programs that never import allred: what `import torch` does, and how they end."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch.profiler import ProfilerActivity, profile


def output(program: str) -> str:
    """What the program printed; it must end well and have nothing to say otherwise."""
    command = [sys.executable, "-c", textwrap.dedent(program)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    return ended.stdout


def test_import_torch_stays_light() -> None:
    program = """
        import sys, time, torch
        print(sorted({"allred._c10d", "mpi4py", "mpi4py.MPI"} & set(sys.modules)))
        print("allred" in torch.distributed.Backend.backend_list)

        for name in [name for name in sys.modules if name.startswith("allred")]:
            del sys.modules[name]
        start = time.process_time()
        import allred.backend
        print(time.process_time() - start)
    """
    loaded, registered, seconds = output(program).splitlines()
    assert loaded == "[]"
    assert registered == "True"
    assert float(seconds) < 0.1  # torch takes more than one


def test_importing_the_backend_first_and_registering_again_is_harmless() -> None:
    assert output("from allred.backend import register; register(); register(); print('fine')") == "fine\n"


@contextmanager
def group_of_one() -> Iterator[None]:
    dist.init_process_group("allred", init_method="allred://")
    try:
        yield
    finally:
        dist.destroy_process_group()


def test_alone_without_a_launcher() -> None:
    with group_of_one():
        tensor = torch.ones(3)
        dist.all_reduce(tensor)
        assert tensor.tolist() == [1.0, 1.0, 1.0]
        assert (dist.get_rank(), dist.get_world_size(), dist.get_backend()) == (0, 1, "allred")


def test_another_rank_than_the_launchers_is_refused() -> None:
    with pytest.raises(ValueError, match="rank=1 was given, but the launcher of this process says 0"):
        dist.init_process_group("allred", init_method="allred://", rank=1, world_size=2)


def test_options_are_refused() -> None:
    with pytest.raises(TypeError, match=r"pg_options must be allred\.Options, got object"):
        dist.init_process_group("allred", init_method="allred://", pg_options=object())


def test_a_mistaken_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLRED_TIMOUT", "3")
    with pytest.raises(ValueError, match="ALLRED_TIMOUT"):
        dist.init_process_group("allred", init_method="allred://")


def test_another_release_of_torch_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "__version__", "2.99.0")
    with pytest.raises(ImportError, match=r"and this is torch 2\.99\.0; reinstall it"):
        dist.init_process_group("allred", init_method="allred://")


def profiled_names(rank: int, size: int) -> set[str]:
    with profile(activities=[ProfilerActivity.CPU]) as recorded:
        dist.all_reduce(torch.ones(3))
        dist.broadcast(torch.ones(3), src=0, async_op=True).wait()
        dist.barrier()
    return {each.key for each in recorded.key_averages()}


def test_the_profiler_shows_collectives(ranks: Any) -> None:
    """In a process of its own, as what torch has recorded keeps the group."""
    (names,) = ranks.run(1, profiled_names)
    assert {"allred:all_reduce", "allred:broadcast", "allred:barrier"} <= names


OPEN_AT_EXIT = """
    import time, torch, torch.distributed as dist
    dist.init_process_group("allred", init_method="file://{store}", rank={rank}, world_size=2)
    tensor = torch.ones(1000)
    dist.all_reduce(tensor)
    {last}
    print(time.time())
"""


@pytest.mark.parametrize("last", ["pass", "work = dist.all_reduce(tensor, async_op=True)"], ids=["idle", "under way"])
def test_exit_with_a_group_still_open(tmp_path: Path, last: str) -> None:
    """It is quick and quiet. Rank 1 leaves at once; rank 0 may have started a call that can never be completed."""
    programs = [
        OPEN_AT_EXIT.format(store=tmp_path / "store", rank=rank, last=last if rank == 0 else "pass") for rank in (0, 1)
    ]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for program in programs
    ]
    try:
        for process in processes:
            said, errors = process.communicate(timeout=60)
            assert process.returncode == 0, errors
            assert errors == ""
            assert time.time() - float(said) < 5
    finally:
        for process in processes:
            process.kill()
