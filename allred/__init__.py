"""allred: collective communication for PyTorch and numpy, between the ranks of a host.

    comm = allred.init()                # under mpirun, torchrun, srun, or alone
    comm.all_reduce(array, op="sum")    # in place, on numpy arrays and on CPU tensors

and, in a program that need not import allred at all::

    torch.distributed.init_process_group("allred")
"""

from importlib.metadata import version as _version

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

__version__ = _version("allred")

__all__ = [
    "AbortedError",
    "Communicator",
    "Config",
    "Error",
    "InvalidArgumentError",
    "MismatchError",
    "PeerLostError",
    "SystemCallError",
    "TimeoutError",
    "UnsupportedError",
    "Work",
    "init",
    "run_threads",
]
