"""The allred bench command: what it accepts, what it reports, and that it neither hangs nor leaves ranks behind."""

from __future__ import annotations

import argparse
import json
import socket
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from cli.fake_peer import FakePeer
from launch.launchers import mpirun

from allred import launcher
from allred.cli import launch
from allred.cli.bench import peers
from allred.cli.bench.document import command_line
from allred.cli.bench.options import add_options, plan_of
from allred.cli.bench.plan import Plan, placements_of
from allred.cli.bench.results import bus_factor, derive, size_record, times_record
from allred.cli.main import main
from allred.host import num_cores

QUICK = ["--sizes", "4,4K", "--blocks", "2", "--iterations", "3", "--timeout", "60"]

needs_rich = pytest.mark.skipif(find_spec("rich") is None, reason="rich is not installed")
needs_launcher = pytest.mark.skipif(
    find_spec("torch") is None and launch.find_mpirun() is None, reason="neither torch nor mpirun is installed"
)
needs_mpi = pytest.mark.skipif(
    find_spec("mpi4py") is None or launch.find_mpirun() is None, reason="Open MPI or mpi4py is not installed"
)


@pytest.mark.parametrize(
    ("collective", "factor"),
    [("all_reduce", 1.5), ("all_gather", 0.75), ("reduce_scatter", 0.75), ("broadcast", 1), ("reduce", 1)],
)
def test_bus_factor(collective: str, factor: float) -> None:
    assert bus_factor(collective, 4) == factor


def line(name: str, times: list[float], placement: str = "in_place") -> dict[str, Any]:
    return {"name": name, "placement": placement, **times_record(times, calls=10)}


def test_figures_follow_from_the_blocks() -> None:
    own, other = line("allred", [2e-3, 1e-3, 3e-3]), line("allred", [1e-3], "out_of_place")
    peer = line("gloo", [8e-3])
    record = size_record(1 << 20, 1 << 18, (1.0, 1.6))
    record.update(libraries=[own, other, peer], floors=[{"name": "in place", "time_us": 50.0}])
    derive(record, "all_reduce", ranks=4, peers=("gloo",))
    assert (own["time_us"], own["p50_us"], own["min_us"]) == (200, 200, 100)
    assert own["p95_us"] == pytest.approx(290)  # of three blocks, linear between the last two
    assert own["p99_us"] == pytest.approx(298)
    assert own["algbw"] == pytest.approx(5.243, rel=1e-3)
    assert own["busbw"] == pytest.approx(1.5 * 5.243, rel=1e-3)
    assert own["of_floor"] == 0.25
    assert own["speedup"] == {"gloo": 4}
    assert other["speedup"] == {}
    assert "speedup" not in peer
    assert record["unstable"]


def test_the_recorded_command_holds_no_path_of_the_machine() -> None:
    argv = ["bench", "all_reduce", "--json", "/home/someone/a b.json", "--json=/home/c.json", "--json", "d/e.json"]
    assert command_line(argv) == "allred bench all_reduce --json 'a b.json' --json=c.json --json d/e.json"


def run_bench(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    status = main(["bench", *words])
    return status, capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["frobnicate"], "invalid choice: 'frobnicate'"),
        (["all_reduce", "--peers", "gloo,nothing"], "--peers: 'nothing' is not known here; expected some of: gloo, "),
        (
            ["all_reduce", "--algorithms", "staged"],
            "--algorithms: 'staged' is not known here; expected some of: auto, ",
        ),
        (["all_reduce", "--memory", "public"], "--memory: 'public' is not known here; expected some of: private, "),
        (["broadcast", "--placement", "out_of_place"], "--placement: 'out_of_place' is not known here; expected some "),
        (["broadcast", "--root", "2"], "--root 2: expected a rank, 0 to 1"),
        (["send_recv", "--ranks", "3"], "3 ranks are not pairs"),
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


@pytest.mark.parametrize(
    ("collective", "named", "meant"),
    [
        ("all_reduce", "tree,ring,double_tree", ("double_tree", "ring")),
        ("broadcast", "tree,auto", ("binomial_tree", "auto")),
    ],
)
def test_a_tree_is_whichever_the_collective_has(collective: str, named: str, meant: tuple[str, ...]) -> None:
    parser = argparse.ArgumentParser()
    add_options(parser, collective)
    args = parser.parse_args(["--algorithms", named], argparse.Namespace(collective=collective))
    assert plan_of(args, launcher.Launcher("alone", 0, 1)).algorithms == meant


@needs_rich
def test_what_a_peer_needs_is_said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def find(name: str) -> None:
        raise peers.Missing(f"peer {name} is not installed. Install it:\n    pip install {name}")

    monkeypatch.setattr(peers, "find", find)
    with pytest.raises(SystemExit):
        main(["bench", "all_reduce", "--peers", "mpich"])
    assert "pip install mpich" in capsys.readouterr().err


def check_document(found: dict[str, Any], plan: Plan, libraries: set[str]) -> None:
    assert (found["schema"], found["collective"], found["ranks"]) == (2, plan.collective, plan.ranks)
    assert found["machine"]["cores"] >= 1
    assert set(found["allred"]) == {"version", "commit", "dirty"}
    assert [record["size"] for record in found["results"]] == list(plan.sizes)
    for record in found["results"]:
        assert record["barrier_us"]["before"] > 0
        names = {line["name"] for line in record["libraries"]}
        assert names - {"allred torch"} == libraries
        for line in record["libraries"]:
            assert line["wrong"] == 0
            assert line["placement"] in placements_of(plan.collective)
            assert (len(line["blocks_us"]), line["calls_per_block"]) == (2, 3)
        states = [len(floor["flags_us"]) for floor in record["floors"] if "flags_us" in floor]
        assert states == [2] * len(record["floors"]) * (1 < plan.ranks <= num_cores())


@needs_rich
@needs_launcher
def test_a_run_and_its_document(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(peers, "find", lambda name: FakePeer(name, "works", tmp_path))
    file = tmp_path / "found.json"
    words = ["--algorithms", "auto,ring", "--peers", "mpich", *QUICK, "--json", str(file)]
    status, output = run_bench(capsys, "all_reduce", *words)
    assert status == 0
    assert "all_reduce" in output
    assert "allred ring" in output
    text = file.read_text()
    plan = Plan(collective="all_reduce", ranks=2, sizes=(4, 4096))
    found = json.loads(text)
    check_document(found, plan, {"allred", "allred ring", "mpich"})
    assert found["versions"]["mpich"] == "Fake 1.0"
    for secret in (str(tmp_path), str(Path.cwd()), sys.prefix, socket.gethostname()):
        assert secret not in text
    assert main(["bench", "compare", str(file), str(file)]) == 0


@needs_rich
@needs_mpi
def test_open_mpi_beside_allred(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    status, output = run_bench(capsys, "reduce_scatter", "--peers", "openmpi", *QUICK, "--json", str(file))
    assert status == 0, output
    found = json.loads(file.read_text())
    check_document(found, Plan(collective="reduce_scatter", ranks=2, sizes=(8, 4096)), {"allred", "openmpi"})
    assert found["versions"]["openmpi"].startswith("Open MPI")
    assert found["results"][0]["libraries"][0]["speedup"]["openmpi"] > 0


@needs_rich
@needs_mpi
def test_it_joins_the_job_that_started_it(tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    ended = mpirun(["-m", "allred.cli.main", "bench", "barrier", *QUICK, "--json", str(file)], ranks=2, timeout=100)
    assert ended.returncode == 0, ended.stdout
    check_document(json.loads(file.read_text()), Plan(collective="barrier", ranks=2, sizes=(0,)), {"allred"})


# Rank 1 of a job that a launcher started fails in its second call.
FAILING = """
import sys
from allred import launcher
from allred.cli import main
from allred.cli.bench import rank
def fail(self, line, calls, seeds):
    raise RuntimeError("rank 1 gives up")
if launcher.detect().rank == 1:
    rank.Rank.block = fail
sys.exit(main.main(sys.argv[1:]))
"""


@needs_rich
@needs_mpi
def test_a_rank_that_fails_ends_the_job_that_was_joined() -> None:
    ended = mpirun(["-c", FAILING, "bench", "barrier", *QUICK], ranks=2, timeout=100)
    assert ended.returncode != 0
    assert "rank 1 gives up" in ended.stdout
    assert "job local: rank 1 ended" in ended.stdout
