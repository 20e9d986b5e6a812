"""The allred doctor command: its checks of software, what it reports, and a job's ranks together."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from launch import launchers

from allred.cli.doctor import examination, footprint, report, software, tables
from allred.cli.doctor.check import Check, Sources
from allred.cli.main import main
from allred.config import Config

needs_rich = pytest.mark.skipif(find_spec("rich") is None, reason="rich is not installed")
needs_mpi = pytest.mark.skipif(
    find_spec("mpi4py") is None or not launchers.MPIRUN.exists(), reason="no mpirun or mpi4py"
)


def versions(**found: str) -> Callable[[str], str | None]:
    return found.get


@pytest.mark.parametrize(
    ("program", "installed", "status"),
    [
        ("/bin/echo", {"mpi4py": "4.1"}, "ok"),
        ("/bin/echo", {}, "warning"),
        ("/no/mpirun", {"mpi4py": "4.1"}, "warning"),
    ],
)
def test_mpi(program: str, installed: dict[str, str], status: str) -> None:
    check = software.mpi(Sources(variables=os.environ), program, versions(**installed))
    assert check.status == status
    assert ("/no/mpirun --version fails" in check.found) == (program == "/no/mpirun")
    assert bool(check.advice) == (status == "warning")


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, ("ok", "none: this process is alone")),
        ({"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "4"}, ("ok", "openmpi, 4 ranks")),
        ({"OMPI_COMM_WORLD_RANK": "one", "OMPI_COMM_WORLD_SIZE": "4"}, ("problem", None)),
    ],
)
def test_launcher(variables: dict[str, str], expected: tuple[str, str | None]) -> None:
    check = software.started_by(Sources(variables=variables))
    assert check.status == expected[0]
    assert expected[1] in (None, check.found)


@pytest.mark.parametrize(
    ("variables", "status", "found"),
    [
        ({"PATH": "/bin"}, "ok", "all are the defaults"),
        ({"ALLRED_WAIT": "sleep"}, "ok", "ALLRED_WAIT=sleep"),
        ({"ALLRED_WIAT": "sleep"}, "problem", "ALLRED_WIAT='sleep' is not a setting"),
        ({"ALLRED_TIMEOUT": "soon"}, "problem", "expected a value of type float"),
    ],
)
def test_settings(variables: dict[str, str], status: str, found: str) -> None:
    check = software.settings(Sources(variables=variables))
    assert check.status == status
    assert found in check.found


def test_torch_that_is_missing_or_of_another_release() -> None:
    def other() -> ModuleType:
        raise ImportError("allred was built for torch 2.0, and this is torch 2.1")

    def fitting() -> Any:
        return SimpleNamespace(torch_version="2.13.0")

    assert software.torch(Sources(), versions()).status == "absent"
    wrong = software.torch(Sources(), versions(torch="2.1"), other)
    assert (wrong.status, wrong.found) == ("problem", "allred was built for torch 2.0, and this is torch 2.1")
    assert "--no-build-isolation" in wrong.advice
    assert software.torch(Sources(), versions(torch="2.13.0"), fitting).status == "ok"


def test_shared_memory_stays_within_what_is_promised() -> None:
    """The layout's figures are those that the kernel counts, but for what the ranks share, and the end of a ring."""
    plan, used = footprint.computed(2, Config().staging_bytes), footprint.measured(Config())
    shared = 8 << 10
    assert plan.small <= used.small <= plan.small + shared
    assert plan.busy - (32 << 10) <= used.busy <= plan.busy + shared
    assert used.small <= 256 << 10
    assert used.busy <= 8 << 20


def test_shared_memory_beyond_the_limits_is_a_warning() -> None:
    small, large = footprint.Footprint(1, 1 << 20), footprint.Footprint(1, 64 << 20)
    assert footprint.judge("memory", small, small).status == "ok"
    assert footprint.judge("memory", small, large).status == "warning"


def test_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    from allred import tuning

    assert tables.table(Sources()).status == "absent"
    own = tuning.default_path(2)
    own.parent.mkdir(parents=True)
    (own.parent / "z80-1-cores-2-ranks.toml").write_text("chunk_bytes = 4096\n")
    assert "ignored: z80-1-cores-2-ranks.toml" in tables.table(Sources()).found
    for text, status, found in [
        ("chunk_bytes = 8192\n", "ok", str(own)),
        ("cpu = 'Z80'\n", "warning", "another machine"),
        ("chunk_byte = 1\n", "problem", ":1: tuning: 'chunk_byte' is not known"),
    ]:
        own.write_text(text)
        check = tables.table(Sources())
        assert (check.status, found in check.found) == (status, True)
    assert tables.table(Sources(variables={"ALLRED_TUNING": "off"})).status == "ok"
    assert tables.table(Sources(variables={"ALLRED_TUNING": "/no/table"})).status == "problem"


RANKS = [
    [Check("cores", "ok", "2"), Check("memory", "ok", "4 GiB")],
    [Check("cores", "ok", "2"), Check("memory", "problem", "none", "buy some")],
    [Check("cores", "warning", "1", "add one"), Check("memory", "ok", "4 GiB")],
]


def test_differences_between_ranks_are_reported() -> None:
    assert report.differing(RANKS) == {"memory": [1], "cores": [2]}
    found = json.loads(report.as_json(RANKS))
    assert found["ranks"] == 3
    cores, memory = found["checks"]
    assert list(cores["ranks_that_differ"]) == ["2"]
    assert memory["ranks_that_differ"]["1"]["advice"] == "buy some"
    assert [report.has_problem(ranks) for ranks in (RANKS, RANKS[:1], RANKS[2:])] == [True, False, False]


@needs_rich
def test_the_table_has_a_row_for_each_rank_that_differs(capsys: pytest.CaptureFixture[str]) -> None:
    report.print_table(RANKS)
    printed = capsys.readouterr().out
    lines = [line.replace("│", " ").split() for line in printed.splitlines() if "│" in line]
    assert lines == [
        ["cores", "ok", "2"],
        ["rank", "2", "warning", "1", "add", "one"],
        ["memory", "ok", "4", "GiB"],
        ["rank", "1", "problem", "none", "buy", "some"],
    ]
    assert "4 ok, 1 warning, 1 problem" in printed


@pytest.mark.parametrize(("setting", "status"), [("", 0), ("ALLRED_NOTHING", 1)])
def test_the_exit_status_tells_of_problems(
    setting: str, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With checks that are quick and the same everywhere."""
    monkeypatch.setattr(examination, "CHECKS", (software.started_by, software.settings))
    if setting:
        monkeypatch.setenv(setting, "1")
    assert main(["doctor", "--json"]) == status
    checks = json.loads(capsys.readouterr().out)["checks"]
    assert [check["name"] for check in checks] == ["launcher", "settings"]


def test_every_check_runs_on_this_machine() -> None:
    found = examination.examine(Sources())
    assert len({check.name for check in found}) == len(examination.CHECKS)
    for check in found:
        assert check.status in ("ok", "warning", "problem", "absent")
        assert check.found
        assert check.status == "ok" or check.advice, check


@needs_mpi
def test_under_a_launcher_rank_0_reports_for_all() -> None:
    ended = launchers.mpirun(["-m", "allred.cli.main", "doctor", "--json"], ranks=2, timeout=100)
    begin = ended.stdout.index("{\n")
    found = json.loads(ended.stdout[begin : ended.stdout.rindex("}") + 1])
    checks = {check["name"]: check for check in found["checks"]}
    assert found["ranks"] == 2
    assert checks["job"]["found"].startswith("2 ranks joined")
    assert checks["launcher"]["found"] == "openmpi, 2 ranks"
