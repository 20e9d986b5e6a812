"""Where foreign peers are installed, and what to do where they are not."""

from __future__ import annotations

import shlex
import sys
from importlib import metadata
from pathlib import Path

from allred import config
from allred.cli.bench.peers.foreign import ForeignPeer
from allred.cli.bench.peers.recipe import Recipe

_PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"


class Missing(Exception):  # noqa: N818 - an answer, not an error
    """A peer is not installed; the text says which commands install it."""


def folder_of(name: str) -> Path:
    """The virtual environment of a foreign peer, which need not be there."""
    return config.cache_folder() / "peers" / name


def find_installation(recipe: Recipe) -> ForeignPeer:
    """The peer that is installed in :func:`folder_of` its name.

    Raises:
        Missing: it is not there, not complete, or made for another Python.
    """
    folder = folder_of(recipe.name)
    if not (folder / "bin" / "python").exists():
        raise _missing(recipe, f"there is no virtual environment {folder}")
    if not packages_of(folder).is_dir():
        made_for = ", ".join(path.name for path in (folder / "lib").glob("python*")) or "another Python"
        reason = f"{folder} is for {made_for}; allred, which its ranks import too, is built for {_PYTHON}"
        raise _missing(recipe, reason)
    needed = {word for arguments in recipe.installs for word in arguments.split() if not word.startswith("-")}
    absent = [package for package in sorted(needed) if version_of(package, folder) is None]
    if absent:
        raise _missing(recipe, f"{folder} lacks {', '.join(absent)}")
    return ForeignPeer(recipe, folder, version_of(recipe.distribution, folder) or "")


def packages_of(folder: Path) -> Path:
    """Where a virtual environment for this version of Python has its packages."""
    return folder / "lib" / _PYTHON / "site-packages"


def version_of(package: str, folder: Path) -> str | None:
    """Of a package in a virtual environment; None where it is not installed."""
    for found in metadata.distributions(name=package, path=[str(packages_of(folder))]):
        return found.version
    return None


def _missing(recipe: Recipe, reason: str) -> Missing:
    folder = folder_of(recipe.name)
    commands = [[sys.executable, "-m", "venv", "--clear", str(folder)]]
    commands += [[str(folder / "bin" / "pip"), "install", *arguments.split()] for arguments in recipe.installs]
    lines = [f"peer {recipe.name} ({recipe.title}) is not installed: {reason}. Install it:"]
    return Missing("\n    ".join([*lines, *map(shlex.join, commands)]))
