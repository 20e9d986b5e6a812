"""allred: collective communication for PyTorch and numpy, between the ranks of a host.

    comm = allred.init()                # under mpirun, torchrun, srun, or alone
    comm.all_reduce(array, op="sum")    # in place, on numpy arrays and on CPU tensors

and, in a program that need not import allred at all::

    torch.distributed.init_process_group("allred")
"""

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
from allred.tracing import Trace, trace

_LOCAL_TRAINING = {
    "DiLoCo": "allred.diloco",
    "LocalSGD": "allred.local_sgd",
    "average_parameters": "allred.averaging",
}


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
    if name == "hooks":
        import importlib

        return importlib.import_module("allred.hooks")
    if name in ("empty", "symmetric_memory"):
        from allred import memory

        return getattr(memory, name)
    if name in _LOCAL_TRAINING:
        from importlib import import_module

        return getattr(import_module(_LOCAL_TRAINING[name]), name)
    raise AttributeError(f"module 'allred' has no attribute {name!r}")


__all__ = [
    "AbortedError",
    "Communicator",
    "Config",
    "DiLoCo",
    "Error",
    "InvalidArgumentError",
    "LocalSGD",
    "MismatchError",
    "Options",
    "PeerLostError",
    "SystemCallError",
    "TimeoutError",
    "Trace",
    "UnsupportedError",
    "Work",
    "average_parameters",
    "empty",
    "hooks",
    "init",
    "monitored_barrier",
    "run_threads",
    "symmetric_memory",
    "trace",
]
