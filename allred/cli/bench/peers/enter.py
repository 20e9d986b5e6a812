"""Runs a module of the allred package that this file is part of: ``python enter.py MODULE [ARGUMENTS]``.

For a Python in which allred is not installed. Its own packages come first: the folder of ours may hold another numpy,
or an mpi4py that is made for another MPI. So the folder goes to the end of the path, which PYTHONPATH cannot do.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

PACKAGES = Path(__file__).resolve().parents[4]


def main() -> None:
    """Takes the place of ``python -m``."""
    del sys.path[0]  # this file's folder, whose modules have names that others may have
    sys.path.append(str(PACKAGES))
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
