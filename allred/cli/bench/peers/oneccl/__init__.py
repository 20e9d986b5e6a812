"""oneCCL, from the wheel ``oneccl-cpu``. Its API is C++, so a small module is compiled against it at first use."""

from __future__ import annotations

from allred.cli.bench.peers import intelmpi
from allred.cli.bench.peers.oneccl.build import DISTRIBUTION, build
from allred.cli.bench.peers.recipe import Recipe

__all__ = ["RECIPE", "build"]

RECIPE = Recipe(
    name="oneccl",
    title="oneCCL",
    distribution=DISTRIBUTION,
    installs=(
        # The CPU library needs libccl.so.2, which only the wheel for GPUs has. Without its dependencies, a gigabyte of
        # SYCL; and before the wheel for CPUs, whose libccl.so.1 has to take the place of that for GPUs.
        "--no-deps oneccl",
        "oneccl-cpu-devel oneccl-cpu impi-rt mpi4py pybind11 numpy",
    ),
    mpiexec=intelmpi.MPIEXEC,
    variables={
        **intelmpi.VARIABLES,
        # Intel MPI moves its data. The other choice, "ofi", took twice the time at 1 MiB and at 64 MiB.
        "CCL_ATL_TRANSPORT": "mpi",
        # It warns about each variable that is set, and that mpi4py has started MPI.
        "CCL_LOG_LEVEL": "error",
    },
    crowded_variables={
        # By default a rank that waits spins to the end of its time slice: 16 ms at 4 B with 4 ranks on 2 cores. With
        # these it calls MPI's own blocking collectives, and else yields: 60 us.
        "CCL_ATL_SYNC_COLL": "1",
        "CCL_WORKER_OFFLOAD": "1",
        "CCL_YIELD": "sched_yield",
        "CCL_SPIN_COUNT": "1",
    },
)
