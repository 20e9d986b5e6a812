"""Prints, as make variables, what the build has to know of the Python it builds for. Standard library only.

torch is looked up but never imported: that takes seconds, and the core must build without it.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import sys
import sysconfig
from pathlib import Path

OLDEST_TORCH = (2, 11)


def package_folder(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None


def python_include() -> Path:
    include = Path(sysconfig.get_path("include"))
    if not (include / "Python.h").exists():
        sys.exit(f"allred: no Python.h in {include}; install the headers of this Python (python3-dev or python3-devel)")
    return include


def usable_torch() -> tuple[Path, str] | None:
    """Folder and release (without the local part, "+cpu") of an installed torch that is new enough."""
    folder = package_folder("torch")
    if folder is None:
        print("allred: no torch here: building allred._core alone", file=sys.stderr)
        return None
    release = importlib.metadata.version("torch").partition("+")[0]
    if tuple(int(part) for part in re.findall(r"\d+", release)[:2]) < OLDEST_TORCH:
        oldest = ".".join(map(str, OLDEST_TORCH))
        print(f"allred: torch {release} is older than {oldest}: building allred._core alone", file=sys.stderr)
        return None
    return folder, release


def pybind11_headers(torch_folder: Path | None) -> Path:
    """The folder named pybind11: from the package of that name, else the copy that torch ships."""
    candidates = [folder / "include" for folder in (package_folder("pybind11"), torch_folder) if folder]
    for include in candidates:
        if (include / "pybind11" / "pybind11.h").exists():
            return include / "pybind11"
    sys.exit("allred: no pybind11 headers; install pybind11 or torch in this environment")


def main() -> None:
    torch = usable_torch()
    variables = {
        "PYTHON_INCLUDE": python_include(),
        "PYTHON_VERSION": sysconfig.get_python_version(),
        "EXT_SUFFIX": sysconfig.get_config_var("EXT_SUFFIX"),
        "PYBIND11": pybind11_headers(package_folder("torch")),
        "TORCH": torch[0] if torch else "",
        "TORCH_VERSION": torch[1] if torch else "",
    }
    for name, value in variables.items():
        print(f"{name} := {value}")


if __name__ == "__main__":
    main()
