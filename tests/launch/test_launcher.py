"""Which launcher started this process: told from the variables that each of them sets."""

from __future__ import annotations

import pytest

from allred.launcher import Launcher, detect, restart_count

SHELL = {"PATH": "/usr/bin:/bin", "HOME": "/root", "RANK_OF_NOTHING": "7", "OMP_NUM_THREADS": "1"}
OPEN_MPI = {
    "OMPI_COMM_WORLD_RANK": "3",
    "OMPI_COMM_WORLD_SIZE": "8",
    "OMPI_COMM_WORLD_LOCAL_RANK": "3",
    "OMPI_COMM_WORLD_LOCAL_SIZE": "8",
    "OMPI_COMM_WORLD_NODE_RANK": "3",
    "OMPI_UNIVERSE_SIZE": "8",
    "PMIX_RANK": "3",
    "PMIX_NAMESPACE": "prterun-host-4242@1",
    "PMIX_VERSION": "5.0.3",
}
HYDRA = {
    "PMI_RANK": "2",
    "PMI_SIZE": "4",
    "PMI_FD": "9",
    "MPI_LOCALNRANKS": "4",
    "MPI_LOCALRANKID": "2",
    "HYDI_CONTROL_FD": "7",
}
INTEL_MPI = {**HYDRA, "I_MPI_HYDRA_BOOTSTRAP": "ssh", "I_MPI_INFO_NP": "4", "I_MPI_ROOT": "/opt/intel/oneapi/mpi"}
SLURM_JOB = {
    "SLURM_JOB_ID": "1234",
    "SLURM_NTASKS": "16",
    "SLURM_NPROCS": "16",
    "SLURM_NODEID": "0",
    "SLURM_PROCID": "0",
    "SLURM_LOCALID": "0",
    "SLURM_JOB_NUM_NODES": "1",
}
SRUN = {**SLURM_JOB, "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "16", "SLURM_PROCID": "5", "SLURM_LOCALID": "5"}
TORCHRUN = {
    "RANK": "1",
    "LOCAL_RANK": "1",
    "WORLD_SIZE": "2",
    "LOCAL_WORLD_SIZE": "2",
    "GROUP_RANK": "0",
    "ROLE_RANK": "1",
    "MASTER_ADDR": "localhost",
    "MASTER_PORT": "29500",
    "TORCHELASTIC_RUN_ID": "none",
    "TORCHELASTIC_RESTART_COUNT": "0",
    "TORCHELASTIC_USE_AGENT_STORE": "True",
}

ENVIRONMENTS = {
    "nothing": ({}, Launcher("alone", 0, 1)),
    "a shell": (SHELL, Launcher("alone", 0, 1)),
    "Open MPI": (OPEN_MPI, Launcher("openmpi", 3, 8)),
    "MPICH": (HYDRA, Launcher("mpich", 2, 4)),
    "Intel MPI": (INTEL_MPI, Launcher("intelmpi", 2, 4)),
    "srun": (SRUN, Launcher("slurm", 5, 16)),
    "torchrun": (TORCHRUN, Launcher("torchrun", 1, 2)),
    "a batch script of Slurm": (SLURM_JOB, Launcher("alone", 0, 1)),
    "mpirun of Open MPI in a Slurm job": ({**SLURM_JOB, **OPEN_MPI}, Launcher("openmpi", 3, 8)),
    "mpirun of Open MPI, whose agents srun started": ({**SRUN, **OPEN_MPI}, Launcher("openmpi", 3, 8)),
    "mpiexec of MPICH in a Slurm job": ({**SRUN, **HYDRA}, Launcher("mpich", 2, 4)),
    "mpirun of Intel MPI in a Slurm job": ({**SRUN, **INTEL_MPI}, Launcher("intelmpi", 2, 4)),
    "torchrun in a Slurm job": ({**SLURM_JOB, **TORCHRUN}, Launcher("torchrun", 1, 2)),
    "torchrun on each host, started by srun": ({**SRUN, **TORCHRUN}, Launcher("torchrun", 1, 2)),
    "torchrun on each host, started by mpirun": ({**OPEN_MPI, **TORCHRUN}, Launcher("torchrun", 1, 2)),
}


@pytest.mark.parametrize("what", ENVIRONMENTS)
def test_the_launcher_is_found_out(what: str) -> None:
    variables, expected = ENVIRONMENTS[what]
    assert detect({**SHELL, **variables}) == expected


def test_rank_and_size_alone_are_not_torchrun() -> None:
    """Some clusters set them for everything."""
    assert detect({"RANK": "0", "WORLD_SIZE": "1"}).name == "alone"


@pytest.mark.parametrize("name", ["openmpi", "intelmpi", "mpich", "slurm"])
def test_mpi_carries_the_start_up_of_mpi_launchers(name: str) -> None:
    assert Launcher(name, 0, 2).is_mpi


@pytest.mark.parametrize("name", ["torchrun", "alone"])
def test_mpi_is_left_alone_otherwise(name: str) -> None:
    assert not Launcher(name, 0, 1).is_mpi


def test_the_lives_of_a_job_are_counted() -> None:
    assert restart_count(SHELL) == 0
    assert restart_count({**SHELL, "TORCHELASTIC_RESTART_COUNT": "2"}) == 2
