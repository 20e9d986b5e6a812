"""A peer that cannot live in allred's processes, since it has an MPI library of its own: its ranks, and their start."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from allred import config
from allred.cli.bench.peers.recipe import Recipe

_ENTER = Path(__file__).with_name("enter.py")
# What the launcher of this process left in its environment. Ranks that found it would take themselves for that job's.
_LAUNCHERS_PREFIXES = (
    *("OMPI_", "OPAL_", "PMIX_", "PRTE_"),
    *("PMI_", "HYDI_", "HYDRA_", "MPI_LOCAL", "I_MPI_HYDRA_", "I_MPI_INFO_", "I_MPI_PIN_"),
    *("SLURM_", "TORCHELASTIC_"),
)
_LAUNCHERS_NAMES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "I_MPI_ROOT")
# Would have the peer's interpreter look for its modules elsewhere.
_PYTHONS_NAMES = ("PYTHONHOME", "PYTHONPATH")


@dataclass(frozen=True)
class ForeignPeer:
    """An installation that was found. Immutable; ``start`` does not block.

    Attributes:
        recipe: what it is.
        folder: its virtual environment.
        version: of the installed package.
    """

    recipe: Recipe
    folder: Path
    version: str

    @property
    def name(self) -> str:
        """One of PEERS."""
        return self.recipe.name

    def start(self, ranks: int, arguments: Sequence[str], output: IO[bytes]) -> subprocess.Popen[bytes]:
        """Starts `ranks` processes of the benchmark's worker in the peer's Python.

        Args:
            ranks: how many; more than the machine has cores if need be.
            arguments: of each worker.
            output: a file that gets what mpiexec and the ranks print.

        Returns:
            mpiexec, with which the ranks end. The caller waits for it.
        """
        worker = ["python", str(_ENTER), "allred.cli.bench.worker", *arguments]
        return subprocess.Popen(
            self.command(ranks, worker),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=self.environment(ranks),
        )

    def command(self, ranks: int, words: Sequence[str]) -> list[str]:
        """The command line that starts as many ranks of a program, which is one of the environment's."""
        programs = self.folder / "bin"
        program, *arguments = words
        mpiexec = [str(programs / "mpiexec"), *self.recipe.mpiexec, "-n", str(ranks)]
        return [*mpiexec, str(programs / program), *arguments]

    def environment(self, ranks: int) -> dict[str, str]:
        """The variables of this process, but for those of its launcher, and with those of so many ranks of the peer."""
        variables = {name: value for name, value in config.environment().items() if not _is_dropped(name)}
        # Before any other MPI whose library has the same name.
        libraries = [str(self.folder / "lib"), variables.get("LD_LIBRARY_PATH", "")]
        programs = [str(self.folder / "bin"), variables.get("PATH", "")]
        return {
            **variables,
            "LD_LIBRARY_PATH": os.pathsep.join(filter(None, libraries)),
            "PATH": os.pathsep.join(filter(None, programs)),
            **self.recipe.variables,
            **(self.recipe.crowded_variables if ranks > len(os.sched_getaffinity(0)) else {}),
        }


def _is_dropped(name: str) -> bool:
    return name.startswith(_LAUNCHERS_PREFIXES) or name in (*_LAUNCHERS_NAMES, *_PYTHONS_NAMES)
