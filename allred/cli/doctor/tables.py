"""The table that `allred tune` wrote for this machine, and others that are beside it."""

from __future__ import annotations

from pathlib import Path

from allred import tuning
from allred.cli.doctor.check import ABSENT, OK, PROBLEM, WARNING, Check, Sources
from allred.errors import Error

_NAME = "tuning"


def table(sources: Sources, ranks: int = 2) -> Check:
    """Whether a table is in use, and why not."""
    setting = sources.variables.get("ALLRED_TUNING", "auto")
    if setting == "off":
        return Check(_NAME, OK, "the defaults, as ALLRED_TUNING=off says")
    try:
        if setting != "auto":
            return _given(Path(setting), ranks)
        own, others = _own_and_others(ranks)
        if not own.exists():
            return _missing(others, ranks)
        loaded = tuning.load(own)
    except (Error, OSError) as error:
        return Check(_NAME, PROBLEM, str(error), "correct or remove the file; `allred tune` writes it anew")
    except RuntimeError:
        return Check(_NAME, ABSENT, "there is no home folder to keep a table in", "set XDG_CACHE_HOME or ALLRED_TUNING")
    if not loaded.is_for(ranks):
        return Check(_NAME, WARNING, f"{own} is ignored: it is of another machine", "run `allred tune` here")
    return Check(_NAME, OK, f"{own}{_note(others)}")


def _given(path: Path, ranks: int) -> Check:
    if tuning.load(path).is_for(ranks):
        return Check(_NAME, OK, f"{path}, as ALLRED_TUNING says")
    found = f"{path}, as ALLRED_TUNING says, though it is of another machine or for another number of ranks"
    return Check(_NAME, WARNING, found, "run `allred tune` here, or unset ALLRED_TUNING")


def _own_and_others(ranks: int) -> tuple[Path, list[str]]:
    """The table for so many ranks, and the names of tables of other machines."""
    own = tuning.default_path(ranks)
    here = own.name.removesuffix(f"{ranks}-ranks.toml")
    there = sorted(path.name for path in own.parent.glob("*.toml") if not path.name.startswith(here))
    return own, there


def _missing(others: list[str], ranks: int) -> Check:
    found = f"the defaults: there is no table for {ranks} ranks on this machine{_note(others)}"
    return Check(_NAME, ABSENT, found, f"allred tune --ranks {ranks}")


def _note(others: list[str]) -> str:
    return f"; of other machines, and ignored: {', '.join(others)}" if others else ""
