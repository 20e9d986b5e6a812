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
from allred.tracing import Trace, trace

_LATER = {
    "DiLoCo": "allred.diloco",
    "DistributedDataParallel": "allred.ddp",
    "LocalSGD": "allred.local_sgd",
    "ParameterServer": "allred.server",
    "average_parameters": "allred.averaging",
    "empty": "allred.memory",
    "monitored_barrier": "allred.backend",
    "symmetric_memory": "allred.memory",
}
_SUBMODULES = ("hooks", "server")


def __getattr__(name: str) -> Any:
    """What needs torch is imported when it is first asked for, and so is what needs the package to be installed."""
    if name == "__version__":
        from importlib.metadata import version

        return version("allred")
    if name == "Options":
        from allred.backend import load_native

        return load_native().Options
    if name in _SUBMODULES:
        return import_module(f"allred.{name}")
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module 'allred' has no attribute {name!r}")


__all__ = [
    "AbortedError",
    "Communicator",
    "Config",
    "DiLoCo",
    "DistributedDataParallel",
    "Error",
    "InvalidArgumentError",
    "LocalSGD",
    "MismatchError",
    "Options",
    "ParameterServer",
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
    "server",
    "symmetric_memory",
    "trace",
]
