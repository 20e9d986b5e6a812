"""Intel MPI, from the wheel ``impi-rt``, which brings Intel's benchmarks too."""

from __future__ import annotations

from allred.cli.bench.peers.recipe import Recipe

VARIABLES = {
    # All ranks are on this host: no search for a network, and none that could be preferred to shared memory.
    "I_MPI_FABRICS": "shm",
    # Which cores belong to which rank is left to it. With I_MPI_PIN=off, 4 and 8 ranks on 2 cores took twice as long.
}
# "fork", so that inside an allocation of Slurm it does not ask srun for the processes.
MPIEXEC = ("-launcher", "fork")

RECIPE = Recipe(
    name="intelmpi",
    title="Intel MPI",
    distribution="impi-rt",
    installs=("impi-rt mpi4py numpy",),
    mpiexec=MPIEXEC,
    variables=VARIABLES,
)
