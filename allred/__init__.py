"""allred: collective communication for PyTorch and numpy, between the ranks of a host.

    comm = allred.init()                # under mpirun, torchrun, srun, or alone
    comm.all_reduce(array, op="sum")    # in place, on numpy arrays and on CPU tensors

and, in a program that need not import allred at all::

    torch.distributed.init_process_group("allred")
"""

from importlib import import_module
from typing import Any

from allred._core import Work
from allred.communicator import Communicator, init
from allred.config import Config
from allred.errors import (
    AbortedError,
    Error,
    InvalidArgumentError,
    MismatchError,
    PeerLostError,
    SystemCallError,
    TimeoutError,
    UnsupportedError,
)
from allred.threads import run_threads


def __getattr__(name: str) -> Any:
    """What needs torch is imported when it is first asked for, and so is what needs the package to be installed."""
    if name == "__version__":
        from importlib.metadata import version

        return version("allred")
    if name == "Options":
        from allred.backend import load_native

        return load_native().Options
    if name == "monitored_barrier":
        from allred.backend import monitored_barrier

        return monitored_barrier
    if name == "ParameterServer":
        from allred.server import ParameterServer

        return ParameterServer
    if name == "server":
        return import_module("allred.server")
    if name in ("empty", "symmetric_memory"):
        from allred import memory

        return getattr(memory, name)
    raise AttributeError(f"module 'allred' has no attribute {name!r}")


__all__ = [
    "AbortedError",
    "Communicator",
    "Config",
    "Error",
    "InvalidArgumentError",
    "MismatchError",
    "Options",
    "ParameterServer",
    "PeerLostError",
    "SystemCallError",
    "TimeoutError",
    "UnsupportedError",
    "Work",
    "empty",
    "init",
    "monitored_barrier",
    "run_threads",
    "server",
    "symmetric_memory",
]
