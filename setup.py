"""Builds the native libraries with csrc/Makefile; everything else is in pyproject.toml."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError, PlatformError

ROOT = Path(__file__).resolve().parent
SOURCES = ROOT / "csrc"


def require_tools() -> None:
    missing = [tool for tool in ("make", os.environ.get("CXX", "g++")) if shutil.which(tool) is None]
    if missing:
        raise PlatformError(f"allred is built with g++ 11 or newer and GNU make; not found: {', '.join(missing)}")


def make_environment() -> dict[str, str]:
    """This process's environment without the settings of a make that may have started it."""
    return {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}


class BuildWithMake(build_ext):
    """Has make put liballred.so, _core and _c10d where setuptools expects its extensions."""

    editable_mode = False

    def output_folder(self) -> Path:
        in_place = self.inplace or self.editable_mode
        return (ROOT if in_place else Path(self.build_lib).resolve()) / "allred"

    def run(self) -> None:
        require_tools()
        jobs = len(os.sched_getaffinity(0))
        # Relative, since make cannot handle a space in the names of its targets.
        out = os.path.relpath(self.output_folder(), SOURCES)
        command = ["make", "-C", str(SOURCES), f"-j{jobs}", f"PYTHON={sys.executable}", f"OUT={out}"]
        if subprocess.run(command, check=False, env=make_environment()).returncode != 0:
            raise CompileError("the native libraries did not build; see make's output above")

    def get_outputs(self) -> list[str]:
        return [str(path) for path in sorted(self.output_folder().glob("*.so"))]

    def get_output_mapping(self) -> dict[str, str]:
        return {}

    def get_source_files(self) -> list[str]:
        return []


# One extension without sources: it marks the wheel as specific to this platform and Python.
setup(license="Apache-2.0", ext_modules=[Extension("allred._core", sources=[])], cmdclass={"build_ext": BuildWithMake})
