"""The wheel: it builds, holds what it has to, and works installed elsewhere on the disk."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXT_SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
HAS_TORCH = find_spec("torch") is not None
PACKAGED = ["setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE", "csrc", "allred"]

SMOKE_TEST = """
import sys
from importlib.metadata import entry_points
import numpy
import allred

sums = []

def reduce_on(comm):
    array = numpy.full(1000, comm.rank + 1, dtype=numpy.float32)
    comm.all_reduce(array)
    sums.append((array == 6).all())

allred.run_threads(reduce_on, ranks=3)
assert sums == [True] * 3, sums
assert allred.__file__.startswith(sys.prefix), allred.__file__
assert allred.__version__ == sys.argv[1]
assert "allred" in {entry.name for entry in entry_points(group="torch.backends")}
assert "torch" not in sys.modules
"""

pytestmark = pytest.mark.timeout(300)


def run(*command: str | Path, cwd: Path, environment: dict[str, str] | None = None) -> str:
    variables = {**os.environ, **(environment or {})}
    ended = subprocess.run(command, cwd=cwd, env=variables, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert ended.returncode == 0, ended.stdout
    return ended.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the sources, from which nothing of the checkout's own installation can slip in."""
    source = tmp_path_factory.mktemp("source")
    for name in PACKAGED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
        else:
            shutil.copy2(ROOT / name, source / name)
    dist = tmp_path_factory.mktemp("dist")
    # The objects that `make build` left are up to date for the copy too: only the linking is left to do.
    objects = {"BUILD": str(ROOT / "build" / "release")}
    pip = [sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "--no-index"]
    run(*pip, "--wheel-dir", dist, source, cwd=dist, environment=objects)
    (built,) = dist.glob("allred-*.whl")
    return built


@pytest.fixture(scope="module")
def installed_python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a new environment with the wheel, which finds numpy and torch where this one does."""
    home = tmp_path_factory.mktemp("elsewhere")
    run(sys.executable, "-m", "venv", "--without-pip", home, cwd=home)
    python = home / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel, cwd=home)
    (site_packages,) = home.glob("lib/python*/site-packages")
    (site_packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def version_of(wheel: Path) -> str:
    return wheel.name.split("-")[1]


def test_the_wheel_holds_libraries_and_types(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = {"allred/liballred.so", f"allred/_core{EXT_SUFFIX}", "allred/_core.pyi", "allred/py.typed"}
    expected.add("allred/cli/bench/peers/oneccl/_oneccl.cpp")
    if HAS_TORCH:
        expected.add(f"allred/_c10d{EXT_SUFFIX}")
    assert expected <= names
    assert any(name.endswith("LICENSE") for name in names)
    foreign = {name for name in names if not name.startswith(("allred/", f"allred-{version_of(wheel)}.dist-info/"))}
    assert foreign == set()


def test_the_installed_wheel_reduces(wheel: Path, installed_python: Path) -> None:
    run(installed_python, "-I", "-c", SMOKE_TEST, version_of(wheel), cwd=installed_python.parent)


@pytest.mark.skipif(not HAS_TORCH, reason="needs torch")
def test_the_installed_wheel_serves_torch(installed_python: Path) -> None:
    program = """
import torch.distributed as dist
store = dist.HashStore()
dist.init_process_group("allred", store=store, rank=0, world_size=1)
tensor = dist.torch.ones(5)
dist.all_reduce(tensor)
assert tensor.tolist() == [1.0] * 5
dist.destroy_process_group()
"""
    run(installed_python, "-I", "-c", program, cwd=installed_python.parent)


def test_the_command_is_installed(installed_python: Path) -> None:
    assert "bench" in run(installed_python.parent / "allred", "--help", cwd=installed_python.parent)
