"""Settings. The only module that reads the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import Field, dataclass, fields
from functools import cache
from pathlib import Path

from allred.errors import InvalidArgumentError

PREFIX = "ALLRED_"


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of a communicator.

    Each field can be given by an environment variable: ``ALLRED_`` and the field's name in capitals, such as
    ``ALLRED_TIMEOUT=60``.

    Attributes:
        timeout: seconds a call may wait for its peers, at start-up and later.
        staging_bytes: shared memory a rank reserves when a large message first needs it.
        wait: how a rank waits: ``"auto"`` (spin where every local rank has a core of its own, else yield and then
            sleep), ``"spin"``, ``"yield"`` or ``"sleep"``.
        all_reduce_algorithm: what carries out AllReduce where a call does not say: ``"auto"`` or the name of an
            algorithm. It must be the same on all ranks.
        tuning: the numbers by which algorithms are chosen: ``"auto"`` (the table that ``allred tune`` wrote for this
            machine, if it did), ``"off"`` (the defaults), the name of a file, or the numbers themselves. All ranks use
            those of rank 0.
    """

    timeout: float = 1800.0
    staging_bytes: int = 3 << 20
    wait: str = "auto"
    all_reduce_algorithm: str = "auto"
    tuning: str | Mapping[str, int] = "auto"

    @classmethod
    def from_environment(cls, **overrides: object) -> Config:
        """The settings of this process; keyword arguments win over the environment.

        Raises:
            InvalidArgumentError: a variable that starts with ``ALLRED_`` is not known, or its value is not of its type.
        """
        settings = from_variables(environment())
        settings.update({name: value for name, value in overrides.items() if value is not None})
        return cls(**settings)  # type: ignore[arg-type]  # from_variables has made the types right


def environment() -> Mapping[str, str]:
    """The environment of this process."""
    return os.environ


def cache_folder() -> Path:
    """What allred keeps for this user: ``$XDG_CACHE_HOME/allred``, or else ``~/.cache/allred``. It need not exist.

    Raises:
        RuntimeError: the user has no home folder.
    """
    given = environment().get("XDG_CACHE_HOME", "")
    # The specification of these folders has relative names ignored.
    return (Path(given) if given.startswith("/") else Path.home() / ".cache") / "allred"


def folder_variables() -> tuple[str | None, ...]:
    """What :func:`cache_folder` depends on."""
    return tuple(environment().get(name) for name in ("XDG_CACHE_HOME", "HOME"))


@cache
def _known() -> dict[str, Field[object]]:
    return {PREFIX + field.name.upper(): field for field in fields(Config)}


def from_variables(variables: Mapping[str, str]) -> dict[str, object]:
    """The fields of Config that `variables` set, converted to their types."""
    types = {"float": float, "int": int}  # all other fields can be given as text
    known = _known()
    settings: dict[str, object] = {}
    for name in variables:
        if not name.startswith(PREFIX):
            continue
        text = variables[name]
        if name not in known:
            raise InvalidArgumentError(f"{name}={text!r} is not a setting of allred; known: {', '.join(known)}")
        field = known[name]
        try:
            settings[field.name] = types.get(str(field.type), str)(text)
        except ValueError:
            raise InvalidArgumentError(f"{name}={text!r}: expected a value of type {field.type}") from None
    return settings
