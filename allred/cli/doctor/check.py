"""What a check finds, and where it looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from allred import config

OK = "ok"
WARNING = "warning"
PROBLEM = "problem"
ABSENT = "absent"
STATUSES = (OK, WARNING, PROBLEM, ABSENT)


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: what it is.
        status: ``"ok"``; ``"warning"``: something is slower or less than it could be; ``"problem"``: something does
            not work; ``"absent"``: it is not there, and need not be.
        found: what there is, in words.
        advice: what to do about it; empty where there is nothing to do.
    """

    name: str
    status: str
    found: str
    advice: str = ""


@dataclass(frozen=True)
class Sources:
    """Where checks look. Tests give a folder of recorded files, and variables of their own.

    Attributes:
        root: where /proc and /sys are.
        variables: the environment.
    """

    root: Path = Path("/")
    variables: Mapping[str, str] = field(default_factory=config.environment)

    def path(self, name: str) -> Path:
        """The place of a file whose name begins with a slash."""
        return self.root / name.lstrip("/")

    def text(self, name: str) -> str | None:
        """The content of a file; None if it cannot be read."""
        try:
            return self.path(name).read_text().strip()
        except OSError:
            return None

    def names(self, folder: str) -> list[str]:
        """What a folder holds, sorted; nothing if it cannot be read."""
        try:
            return sorted(entry.name for entry in self.path(folder).iterdir())
        except OSError:
            return []

    def field(self, name: str, key: str) -> str | None:
        """The value in the line "KEY: VALUE" of a file."""
        for line in (self.text(name) or "").splitlines():
            found, _, value = line.partition(":")
            if found.strip() == key:
                return value.strip()
        return None


def format_bytes(number: float) -> str:
    """About so much, in the unit that fits."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "B" or number >= 100 else f"{number:.3g} {unit}"
        number /= 1024
    return f"{number:.3g} TiB"
