"""The allred bench command: what it accepts, what it reports, and that it neither hangs nor leaves ranks behind."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from allred.cli import launch
from allred.cli.bench.elements import DTYPES, PERIOD, ElementType, count_wrong, reduction, write
from allred.cli.bench.plan import COLLECTIVES, Plan
from allred.cli.bench.report import command_line
from allred.cli.bench.results import bus_factor, derive, library_record, size_record
from allred.cli.bench.workload import Workload
from allred.cli.errors import CommandFailed
from allred.cli.main import main
from allred.cli.sizes import format_size, parse_sizes

QUICK = ["--sizes", "4,4K", "--blocks", "2", "--iterations", "3", "--timeout", "60"]

needs_rich = pytest.mark.skipif(find_spec("rich") is None, reason="rich is not installed")
needs_launcher = pytest.mark.skipif(
    find_spec("torch") is None and launch.find_mpirun() is None, reason="neither torch nor mpirun is installed"
)
needs_mpi = pytest.mark.skipif(
    find_spec("mpi4py") is None or launch.find_mpirun() is None, reason="Open MPI or mpi4py is not installed"
)


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("4:32", (4, 8, 16, 32)),
        ("4:256:4", (4, 16, 64, 256)),
        ("1K,3m,5", (1 << 10, 3 << 20, 5)),
        ("4:10", (4, 8)),
        ("8,4:16", (8, 4, 16)),
        ("1G", (1 << 30,)),
    ],
)
def test_sizes(text: str, sizes: tuple[int, ...]) -> None:
    assert parse_sizes(text) == sizes


@pytest.mark.parametrize("text", ["", "x", "4:", "4:2", "4:8:1", "0:8", "4:8:2:2", "-4", "4KB", "4,,8"])
def test_malformed_sizes(text: str) -> None:
    with pytest.raises(ValueError, match=r"^'.*'(: expected | is not a size)"):
        parse_sizes(text)


@pytest.mark.parametrize(("size", "text"), [(0, "0"), (4, "4"), (1025, "1025"), (65536, "64K"), (3 << 30, "3G")])
def test_format_size(size: int, text: str) -> None:
    assert format_size(size) == text


@pytest.mark.parametrize(
    ("collective", "factor"),
    [("all_reduce", 1.5), ("all_gather", 0.75), ("reduce_scatter", 0.75), ("broadcast", 1), ("reduce", 1)],
)
def test_bus_factor(collective: str, factor: float) -> None:
    assert bus_factor(collective, 4) == factor


def test_figures_follow_from_the_blocks() -> None:
    own = library_record("allred", [2e-3, 1e-3, 3e-3], calls=10, wrong=0)
    peer = library_record("gloo", [8e-3], calls=10, wrong=0)
    record = size_record(1 << 20, 1 << 18, (1.0, 1.6), [own, peer])
    derive(record, "all_reduce", ranks=4, peers=("gloo",))
    assert (own["time_us"], own["p50_us"], own["min_us"]) == (200, 200, 100)
    assert own["algbw"] == pytest.approx(5.243, rel=1e-3)
    assert own["busbw"] == pytest.approx(1.5 * 5.243, rel=1e-3)
    assert own["speedup"] == {"gloo": 4}
    assert "speedup" not in peer
    assert record["unstable"]


def test_the_recorded_command_holds_no_path_of_the_machine() -> None:
    argv = ["bench", "all_reduce", "--json", "/home/someone/a b.json", "--json=/home/c.json", "--json", "d/e.json"]
    assert command_line(argv) == "allred bench all_reduce --json 'a b.json' --json=c.json --json d/e.json"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", ["sum", "product", "min", "max"])
def test_data_are_exact_in_every_type(dtype: str, op: str) -> None:
    values = reduction(seed=1, op=op, ranks=4)
    element = ElementType(dtype)
    encoded = element.encode(values)
    decoded = (encoded.astype(np.uint32) << 16).view(np.float32) if dtype == "bfloat16" else encoded
    assert np.array_equal(decoded.astype(np.int64), values)


@pytest.mark.parametrize("count", [0, 1, PERIOD - 1, PERIOD, 2 * PERIOD + 5])
@pytest.mark.parametrize("offset", [0, 3, PERIOD, PERIOD + 1])
def test_each_wrong_element_is_counted(count: int, offset: int) -> None:
    period = np.arange(PERIOD)
    array = np.zeros(count, np.int64)
    write(array, period, offset)
    assert np.array_equal(array, (np.arange(count) + offset) % PERIOD)
    array[count // 2 :] += 1
    assert count_wrong(array, period, offset) == count - count // 2


@pytest.mark.parametrize("collective", COLLECTIVES)
def test_a_call_that_does_nothing_is_noticed(collective: str) -> None:
    plan = Plan(collective=collective, ranks=2, sizes=(1 << 16,))
    ranks = [Workload(plan, 1 << 16, rank) for rank in range(2)]
    for work in ranks:
        work.fill(1)
    wrong = sum(work.count_wrong() for work in ranks)
    assert (wrong > 0) == (collective != "barrier")


def run_bench(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    status = main(["bench", *words])
    return status, capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["frobnicate"], "invalid choice: 'frobnicate'"),
        (["all_reduce", "--peers", "gloo,nothing"], "peer 'nothing' is not known; expected some of: gloo, openmpi"),
        (["all_reduce", "--algorithms", "staged"], "algorithm 'staged' is not known; expected some of: auto, one_shot"),
        (["all_reduce", "--sizes", "4:2"], "--sizes: '4:2'"),
        (["all_reduce", "--op", "band"], "--op band is defined for integers"),
        (["all_reduce", "--op", "avg", "--dtype", "int8"], "--op avg is defined for floating-point types"),
        (["all_reduce", "--ranks", "0"], "--ranks"),
    ],
)
@needs_rich
def test_wrong_usage_is_explained(capsys: pytest.CaptureFixture[str], words: list[str], complaint: str) -> None:
    with pytest.raises(SystemExit) as raised:
        main(["bench", *words])
    assert raised.value.code == 2
    assert complaint in capsys.readouterr().err


def check_document(found: dict[str, Any], plan: Plan, libraries: set[str]) -> None:
    assert (found["schema"], found["collective"], found["ranks"]) == (1, plan.collective, plan.ranks)
    assert found["machine"]["cores"] >= 1
    assert set(found["allred"]) == {"version", "commit", "dirty"}
    assert [record["size"] for record in found["results"]] == list(plan.sizes)
    for record in found["results"]:
        assert record["barrier_us"]["before"] > 0
        names = {library["library"] for library in record["libraries"]}
        assert names - {"allred torch"} == libraries
        for library in record["libraries"]:
            assert library["wrong"] == 0
            assert 0 < library["min_us"] <= library["time_us"] <= library["p95_us"]
            assert len(library["blocks_us"]) == 2
            assert library["calls_per_block"] == 3


@needs_rich
@needs_launcher
def test_a_run_and_its_document(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    status, output = run_bench(capsys, "all_reduce", "--algorithms", "auto,ring", *QUICK, "--json", str(file))
    assert status == 0
    assert "all_reduce, 2 ranks" in output
    assert "allred ring" in output
    text = file.read_text()
    plan = Plan(collective="all_reduce", ranks=2, sizes=(4, 4096))
    check_document(json.loads(text), plan, {"allred", "allred ring"})
    for secret in (str(tmp_path), str(Path.cwd()), sys.prefix, socket.gethostname()):
        assert secret not in text


@needs_rich
@needs_mpi
def test_open_mpi_beside_allred(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    status, output = run_bench(capsys, "reduce_scatter", "--peers", "openmpi", *QUICK, "--json", str(file))
    assert status == 0, output
    found = json.loads(file.read_text())
    check_document(found, Plan(collective="reduce_scatter", ranks=2, sizes=(8, 4096)), {"allred", "openmpi"})
    assert found["versions"]["openmpi"].startswith("Open MPI v")
    assert found["results"][0]["libraries"][0]["speedup"]["openmpi"] > 0


@needs_rich
@needs_mpi
def test_it_joins_the_job_that_started_it(tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    mpirun = launch.find_mpirun()
    assert mpirun is not None
    words = [mpirun, "-n", "2", "--oversubscribe", "--bind-to", "none", sys.executable, "-m", "allred.cli.main"]
    ended = subprocess.run(
        [*words, "bench", "barrier", *QUICK, "--json", str(file)],
        env={**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("barrier, 2 ranks") == 1
    check_document(json.loads(file.read_text()), Plan(collective="barrier", ranks=2, sizes=(0,)), {"allred"})


RANK_PROGRAM = """
import os, sys, time
from pathlib import Path
from allred import launcher
from allred.cli import events
rank = launcher.detect().rank
events.announce(Path(sys.argv[1]), rank)
Path({pids!r}, str(rank)).write_text(str(os.getpid()))
def sleep_for_ever(): time.sleep(1000)
if rank == 1 and {dies}: sys.exit("rank 1 gives up")
sleep_for_ever()
"""


def is_running(pid: str) -> bool:
    """False also for an orphan that has ended and that nobody has waited for yet."""
    try:
        return Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    "mpi",
    [
        pytest.param(False, marks=pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")),
        pytest.param(True, marks=needs_mpi),
    ],
)
@pytest.mark.parametrize(("dies", "silence", "shown"), [(True, 60, "rank 1 gives up"), (False, 3, "sleep_for_ever")])
def test_ranks_that_die_or_hang_are_ended_and_shown(
    tmp_path: Path, mpi: bool, dies: bool, silence: float, shown: str
) -> None:
    program = RANK_PROGRAM.format(pids=str(tmp_path), dies=dies)
    begin = time.monotonic()
    with pytest.raises(CommandFailed, match=shown):
        launch.run_ranks(["-c", program], 2, mpi=mpi, silence=silence, on_event=lambda event: None)
    assert time.monotonic() - begin < 30
    assert [file.name for file in tmp_path.iterdir() if is_running(file.read_text())] == []
