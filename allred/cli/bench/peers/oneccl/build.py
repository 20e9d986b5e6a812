"""Compiles the module through which Python calls oneCCL, in the virtual environment that holds oneCCL."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from allred import config
from allred.cli.bench.peers.installation import Missing, version_of
from allred.cli.errors import CommandFailed

DISTRIBUTION = "oneccl-cpu"
MODULE = "_oneccl"
_SOURCE = Path(__file__).with_name("_oneccl.cpp")
_FLAGS = ("-std=c++17", "-O2", "-shared", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra", "-Wconversion")


def module_path(folder: Path) -> Path:
    """Where the module lies in a virtual environment: its name tells from what it was made, so that none is stale."""
    made_from = [_SOURCE.read_text(), *(str(version_of(package, folder)) for package in (DISTRIBUTION, "pybind11"))]
    digest = hashlib.sha256("\0".join(made_from).encode()).hexdigest()[:16]
    return folder / "allred" / f"{MODULE}-{digest}.so"


def build(folder: Path) -> None:
    """Compiles the module where that is not done. Takes half a minute; several processes may do so together.

    Raises:
        Missing: there is no compiler.
        CommandFailed: it did not compile, with what the compiler said.
    """
    path = module_path(folder)
    if path.exists():
        return
    compiler = config.environment().get("CXX", "g++")
    if shutil.which(compiler) is None:
        reason = f"peer oneccl is called through a C++ module, and the compiler {compiler} to build it is not there"
        raise Missing(f"{reason}. Install g++ 11 or newer, or name another: CXX=clang++")
    path.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as unfinished:
        made = Path(unfinished) / path.name
        _run([compiler, *_FLAGS, *_includes(folder), str(_SOURCE), *_libraries(folder), "-o", str(made)])
        os.replace(made, path)  # noqa: PTH105 - says that it takes the place of another process's


def _includes(folder: Path) -> list[str]:
    # As the headers of the system are, so that warnings are about our file alone.
    found = _run([str(folder / "bin" / "python"), "-m", "pybind11", "--includes"]).split()
    return [word.replace("-I", "-isystem", 1) for word in [*found, f"-I{folder / 'include'}"]]


def _libraries(folder: Path) -> list[str]:
    # The old form of the run path counts for oneCCL's own libraries, too, which do not say where theirs are.
    library = folder / "lib"
    return [f"-L{library}", "-lccl", f"-Wl,-rpath,{library}", "-Wl,--disable-new-dtags"]


def _run(command: list[str]) -> str:
    ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode != 0:
        raise CommandFailed(f"the module for peer oneccl did not build: {' '.join(command)}\n{ended.stderr.strip()}")
    return ended.stdout
