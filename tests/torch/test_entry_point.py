"""Programs that never import allred: what `import torch` does, how processes find each other, how they end."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import torch.distributed as dist


def python(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", textwrap.dedent(program)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, env=os.environ | environment, check=False
    )


def output(program: str, **environment: str) -> str:
    """What the program printed; it must end well and have nothing to say otherwise."""
    ended = python(program, **environment)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    return ended.stdout


def test_import_torch_stays_light() -> None:
    program = """
        import sys, torch
        wanted = {"allred._c10d", "mpi4py", "mpi4py.MPI"}
        print(sorted(wanted & set(sys.modules)), "allred" in torch.distributed.Backend.backend_list)
    """
    assert output(program).split() == ["[]", "True"]


def test_the_entry_point_costs_little() -> None:
    program = """
        import sys, time
        import torch
        for name in [name for name in sys.modules if name.startswith("allred")]:
            del sys.modules[name]
        torch.distributed.Backend.backend_list.remove("allred")
        for scheme in ("mpi", "allred"):
            del torch.distributed.rendezvous.__globals__["_rendezvous_handlers"][scheme]
        start = time.process_time()
        from allred.backend import register
        register()
        print(time.process_time() - start)
    """
    assert float(output(program)) < 0.1  # of more than a second that torch takes


def test_importing_the_backend_first_and_registering_again_is_harmless() -> None:
    assert output("from allred.backend import register; register(); register(); print('fine')") == "fine\n"


def test_alone_without_a_launcher() -> None:
    program = """
        import torch, torch.distributed as dist
        dist.init_process_group("allred", init_method="allred://")
        tensor = torch.ones(3)
        dist.all_reduce(tensor)
        print(dist.get_rank(), dist.get_world_size(), tensor.tolist())
        dist.destroy_process_group()
    """
    assert output(program) == "0 1 [1.0, 1.0, 1.0]\n"


def test_another_rank_than_the_launchers_is_refused() -> None:
    program = """
        import torch.distributed as dist
        dist.init_process_group("allred", init_method="allred://", rank=1, world_size=2)
    """
    ended = python(program)
    assert "ValueError: rank=1 was given, but the launcher of this process says 0" in ended.stderr


def test_options_are_refused() -> None:
    program = """
        import torch.distributed as dist
        dist.init_process_group("allred", init_method="allred://", pg_options=object())
    """
    assert "ValueError: allred takes no pg_options" in python(program).stderr


def test_a_mistaken_variable_is_refused() -> None:
    program = """
        import torch.distributed as dist
        dist.init_process_group("allred", init_method="allred://")
    """
    assert "ALLRED_TIMOUT" in python(program, ALLRED_TIMOUT="3").stderr


def test_another_release_of_torch_is_refused() -> None:
    program = """
        import torch
        torch.__version__ = "2.99.0"
        torch.distributed.init_process_group("allred", init_method="allred://")
    """
    assert "and this is torch 2.99.0; reinstall it" in python(program).stderr


OPEN_AT_EXIT = """
    import torch, torch.distributed as dist
    dist.init_process_group("allred", init_method="{method}", rank={rank}, world_size={size})
    tensor = torch.ones(1000)
    dist.all_reduce(tensor)
    {last}
    print(int(tensor[0]))
"""


@pytest.mark.parametrize(
    "last",
    ["pass", "work = dist.all_reduce(tensor.clone(), async_op=True)", "work.unknown"],
    ids=["idle", "call under way", "exception"],
)
def test_exit_with_a_group_still_open(tmp_path: Path, last: str) -> None:
    """Rank 1 leaves at once; rank 0 may have started a call that can then never be completed."""
    if last == "work.unknown":
        last = "raise SystemExit(0)"
    programs = [
        OPEN_AT_EXIT.format(
            method=f"file://{tmp_path / 'store'}", rank=rank, size=2, last=last if rank == 0 else "pass"
        )
        for rank in range(2)
    ]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(program)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for program in programs
    ]
    try:
        for process in processes:
            _, errors = process.communicate(timeout=60)
            assert process.returncode == 0, errors
            assert errors == ""
    finally:
        for process in processes:
            process.kill()


def test_exit_is_quick() -> None:
    program = """
        import torch, torch.distributed as dist
        dist.init_process_group("allred", init_method="allred://")
        dist.all_reduce(torch.ones(3), async_op=True).wait()
        print(__import__("time").time())
    """
    ended_main = float(output(program))
    assert time.time() - ended_main < 3


def test_the_profiler_shows_collectives() -> None:
    program = """
        import torch, torch.distributed as dist
        from torch.profiler import ProfilerActivity, profile
        dist.init_process_group("allred", init_method="allred://")
        with profile(activities=[ProfilerActivity.CPU]) as recorded:
            dist.all_reduce(torch.ones(3))
            dist.broadcast(torch.ones(3), src=0, async_op=True).wait()
            dist.barrier()
        print(*sorted(each.key for each in recorded.key_averages() if each.key.startswith("allred:")))
    """
    assert python(program).stdout.split() == ["allred:all_reduce", "allred:barrier", "allred:broadcast"]


RENDEZVOUS = """
    import sys, torch, torch.distributed as dist
    dist.init_process_group("{backend}", init_method="{method}")
    tensor = torch.full((3,), dist.get_rank() + 1.0)
    dist.all_reduce(tensor)
    sys.stdout.write(f"sum {{tensor[0].item()}} of {{dist.get_world_size()}}\\n")  # at once, not in pieces
    dist.destroy_process_group()
"""


@pytest.mark.parametrize(
    ("launch", "backend", "method"),
    [
        ("mpirun", "allred", "mpi://"),
        ("mpirun", "gloo", "allred://"),
        ("torchrun", "allred", "allred://"),
        ("torchrun", "allred", "env://"),
    ],
)
def test_launched_ranks_find_each_other(tmp_path: Path, launch: str, backend: str, method: str) -> None:
    from launch.launchers import mpirun, torchrun

    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(RENDEZVOUS.format(backend=backend, method=method)))
    ended = (mpirun if launch == "mpirun" else torchrun)([script], ranks=2, timeout=90)
    assert ended.returncode == 0, ended.stdout
    assert ended.stdout.count("sum 3.0 of 2") == 2, ended.stdout


def test_debug_mode_works(tmp_path: Path) -> None:
    from launch.launchers import torchrun

    script = tmp_path / "script.py"
    program = 'import os; os.environ["TORCH_DISTRIBUTED_DEBUG"] = "DETAIL"\n'
    script.write_text(program + textwrap.dedent(RENDEZVOUS.format(backend="allred", method="env://")))
    ended = torchrun([script], ranks=2, timeout=90)
    assert ended.stdout.count("sum 3.0 of 2") == 2, ended.stdout


def test_the_backend_is_torchs_backend() -> None:
    assert dist.Backend("allred") == "allred"
    assert dist.Backend.backend_capability["allred"] == ["cpu"]
