"""MPICH, from the wheel ``mpich``."""

from __future__ import annotations

from allred.cli.bench.peers.recipe import Recipe

RECIPE = Recipe(
    name="mpich",
    title="MPICH",
    distribution="mpich",
    installs=("mpich mpi4py numpy",),
    # "fork", so that inside an allocation of Slurm it does not ask srun for the processes. It binds none to cores, and
    # binding was not faster.
    mpiexec=("-launcher", "fork"),
    # It yields by itself. MPIR_CVAR_ENABLE_HEAVY_YIELD, which sleeps instead, helps 4 ranks on 2 cores that others use,
    # too (0.2 ms at 4 B, not 2.3 ms), and would harm them where nobody does: 0.1 ms at best, not 14 us.
)
