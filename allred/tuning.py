"""Tables of the numbers by which algorithms are chosen: where they lie, and how they are read. See docs/tuning.md."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from allred import _core, host
from allred.config import cache_folder, folder_variables
from allred.errors import InvalidArgumentError

_ABOUT = {"cpu": str, "cores": int, "ranks": int}  # what a table says of its machine; all else are numbers


@dataclass(frozen=True)
class Table:
    """What a file says.

    Attributes:
        numbers: those that it gives; the others keep their defaults.
        cpu: the processor that it was made on.
        cores: how many the host had.
        ranks: how many it is for.
    """

    numbers: dict[str, int] = field(default_factory=dict)
    cpu: str | None = None
    cores: int | None = None
    ranks: int | None = None

    def is_for(self, ranks: int) -> bool:
        """Whether it was made on a machine like this one, for so many ranks, as far as it says."""
        here = ((self.cpu, host.cpu_model()), (self.cores, host.num_cores()), (self.ranks, ranks))
        return all(said is None or said == found for said, found in here)


def folder() -> Path:
    """Where the tables of this user's machines lie. Raises RuntimeError if the user has no home folder."""
    return cache_folder() / "tuning"


def default_path(ranks: int) -> Path:
    """The table of this machine for so many ranks, which need not exist."""
    return folder() / f"{_machine()}-{ranks}-ranks.toml"


@cache
def _machine() -> str:
    """What files call this machine."""
    cpu = re.sub(r"[^a-z0-9]+", "-", host.cpu_model().lower()).strip("-")
    return f"{cpu}-{host.num_cores()}-cores"


@cache
def _default_path(ranks: int, *_variables: str | None) -> Path:
    """The same while the environment is: small groups are made so fast that finding it anew would count."""
    return default_path(ranks)


def numbers_for(ranks: int, setting: str | Mapping[str, int]) -> dict[str, int]:
    """The numbers that Config's `tuning` means on a communicator of so many ranks.

    Raises:
        InvalidArgumentError: the table cannot be read, with file and line; a number is not known or out of range.
    """
    if not isinstance(setting, str):
        return dict(setting)
    if setting == "off":
        return {}
    if setting != "auto":
        return load(Path(setting)).numbers
    try:
        path = _default_path(ranks, *folder_variables())
        text = path.read_bytes()
    except (OSError, RuntimeError):  # not there, or not for this user
        return {}
    table = parse(text, path)
    return table.numbers if table.is_for(ranks) else {}


def load(path: Path) -> Table:
    """The table in a file.

    Raises:
        InvalidArgumentError: it cannot be read, with file and line.
    """
    try:
        return parse(path.read_bytes(), path)
    except OSError as error:
        raise InvalidArgumentError(
            f"tuning={str(path)!r}: {error.strerror}; expected 'auto', 'off', or a table that 'allred tune' wrote"
        ) from error


def parse(text: bytes, path: Path) -> Table:
    """The table that `text` is; `path` is what errors call it.

    Raises:
        InvalidArgumentError: it is no TOML, or says what is not known or out of range; with file and line.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        found = tomllib.loads(text.decode())
    except ValueError as error:  # of TOML, or of UTF-8
        raise InvalidArgumentError(f"{path}: {error}") from error
    for name, value in found.items():
        _check(name, value, f"{path}:{_line_of(name, text.decode())}")
    about = {name: found.pop(name) for name in _ABOUT if name in found}
    return Table(found, **about)


def _check(name: str, value: Any, where: str) -> None:
    kind: Any = _ABOUT.get(name, int)
    if not isinstance(value, kind) or isinstance(value, bool):
        expected = "a whole number" if kind is int else "a string"
        raise InvalidArgumentError(f"{where}: {name} must be {expected}, got {value!r}")
    if name in _ABOUT:
        return
    try:
        _core.complete_tuning({name: value})
    except InvalidArgumentError as error:
        raise InvalidArgumentError(f"{where}: {error}") from None


def _line_of(name: str, text: str) -> int:
    """Where a key, or a table's name in brackets, stands; from 1."""
    found = re.search(rf"^[ \t\[\"']*{re.escape(name)}\b", text, re.MULTILINE)
    return text.count("\n", 0, found.end()) + 1 if found else 1
