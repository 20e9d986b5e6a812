"""Finds out who started this process, from what launchers leave in the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from allred import config


@dataclass(frozen=True)
class Launcher:
    """Who started this process, and as which of how many.

    Attributes:
        name: ``"torchrun"``, ``"openmpi"``, ``"intelmpi"``, ``"mpich"``, ``"slurm"`` or ``"alone"``.
        rank: this process's rank, from 0.
        size: number of processes.
    """

    name: str
    rank: int
    size: int

    @property
    def is_mpi(self) -> bool:
        """Whether mpi4py carries the start-up bytes."""
        return self.name in ("openmpi", "intelmpi", "mpich", "slurm")


@dataclass(frozen=True)
class _Signature:
    name: str
    rank: str
    size: str
    marks: tuple[str, ...] = ()  # variables that begin so, one of which must be there


# The first that fits. torchrun stands first, since it may itself have been started by one of the others, for each
# host; then those whose own variables leave no doubt; Intel MPI before MPICH, whose process manager it shares; Slurm
# last, whose variables stay visible to a launcher that runs inside its allocation.
_SIGNATURES = (
    _Signature("torchrun", "RANK", "WORLD_SIZE", ("TORCHELASTIC_RUN_ID", "MASTER_ADDR")),
    _Signature("openmpi", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    _Signature("intelmpi", "PMI_RANK", "PMI_SIZE", ("I_MPI_", "MPIR_CVAR_I_MPI_")),
    _Signature("mpich", "PMI_RANK", "PMI_SIZE"),
    _Signature("slurm", "SLURM_PROCID", "SLURM_NTASKS", ("SLURM_STEP_ID",)),
)


def detect(variables: Mapping[str, str] | None = None) -> Launcher:
    """The launcher of this process.

    Args:
        variables: the environment to look at; this process's own by default.
    """
    found = config.environment() if variables is None else variables
    for signature in _SIGNATURES:
        if signature.rank not in found or signature.size not in found:
            continue
        if signature.marks and not any(name.startswith(signature.marks) for name in found):
            continue
        return Launcher(signature.name, int(found[signature.rank]), int(found[signature.size]))
    return Launcher("alone", 0, 1)


def restart_count(variables: Mapping[str, str] | None = None) -> int:
    """How often torchrun has started this job's ranks anew: 0 in its first life.

    Args:
        variables: the environment to look at; this process's own by default.
    """
    found = config.environment() if variables is None else variables
    return int(found.get("TORCHELASTIC_RESTART_COUNT", "0"))
