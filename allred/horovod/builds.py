"""What Horovod's scripts ask of how it was built."""

from __future__ import annotations

from importlib.util import find_spec


def mpi_built() -> bool:
    """Whether mpirun can launch the job: mpi4py is installed."""
    return find_spec("mpi4py") is not None


def mpi_enabled() -> bool:
    """Whether an MPI launcher started this process."""
    from allred.launcher import detect

    return detect().is_mpi


def mpi_threads_supported() -> bool:
    """True: MPI carries nothing after start-up, so any thread may use it."""
    return True


def gloo_built() -> bool:
    """False: allred stands in its place."""
    return False


def gloo_enabled() -> bool:
    """False: allred stands in its place."""
    return False


def nccl_built() -> int:
    """0: there is no CUDA code yet."""
    return 0


def ddl_built() -> bool:
    """False: it is not used."""
    return False


def ccl_built() -> bool:
    """False: it is not used."""
    return False


def cuda_built() -> bool:
    """False: there is no CUDA code yet."""
    return False


def rocm_built() -> bool:
    """False: there is no code for it."""
    return False
