"""_core.pyi and _floors.pyi say what the modules have, as mypy's stubtest sees it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

# Other packages are left out, since reading torch takes most of a minute.
CONFIGURATION = """
[mypy]
follow_imports = silent
[mypy-torch.*]
follow_imports = skip
[mypy-numpy.*]
follow_imports = skip
"""
# pybind11's classes have a metaclass of their own, and those that Python cannot make an __init__ that says so.
ALLOWED = r"""
allred\._(core|floors)\.[A-Z]\w*
allred\._core\.(Acquaintances|Work|MessageWork|SymmetricBuffer|ScheduleStatistics|Choice|Prediction|Timeline|\w+Record)\.__init__
"""


def test_the_stubs_agree_with_the_modules(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    (tmp_path / "mypy.ini").write_text(CONFIGURATION)
    (tmp_path / "allowed").write_text(ALLOWED)
    options = ["--mypy-config-file", tmp_path / "mypy.ini", "--allowlist", tmp_path / "allowed"]
    command = [sys.executable, "-m", "mypy.stubtest", "allred._core", "allred._floors", "--concise", *options]
    ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=100)
    assert ended.returncode == 0, ended.stdout
