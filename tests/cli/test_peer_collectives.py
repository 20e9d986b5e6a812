"""Every collective that a peer offers gives what numpy says, in the peer's own processes, where it is installed."""

from __future__ import annotations

import json
import subprocess
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import pytest
from launch.launchers import mpirun

import allred
from allred.cli import launch
from allred.cli.bench import peers
from allred.cli.bench.plan import COLLECTIVES, REDUCING, placements_of

PROGRAM = Path(__file__).with_name("programs") / "peer_collectives.py"
PACKAGES = Path(allred.__file__).parents[1]
DTYPES = ("float32", "bfloat16", "int8", "uint64")  # not every build of an MPI has float16
RANKS = 2
TIMEOUT = 100
TITLES = {"openmpi": "Open MPI ", "mpich": "MPICH ", "intelmpi": "Intel MPI ", "oneccl": "oneCCL "}


def reductions(dtypes: tuple[str, ...], ops: tuple[str, ...]) -> set[str]:
    kinds = [(collective, placement) for collective in REDUCING for placement in placements_of(collective)]
    return {" ".join((*kind, dtype, op)) for kind, dtype, op in product(kinds, dtypes, ops)}


# Nobody has avg. In MPI bit operations are for integers, bfloat16 has none at all, and a reduce-scatter in place
# leaves its result elsewhere.
REFUSED_BY_MPI = (
    reductions(DTYPES, ("avg",))
    | reductions(("float32",), ("band",))
    | reductions(("bfloat16",), ("sum", "max", "band"))
    | {f"reduce_scatter in_place {dtype} {op}" for dtype in DTYPES for op in ("sum", "max", "band", "avg")}
)
REFUSED_BY_ONECCL = reductions(DTYPES, ("avg", "band")) | {
    f"gather {placement} {dtype} sum" for placement in placements_of("gather") for dtype in DTYPES
}


def check(peer: str, output: str) -> None:
    """What the program printed, after what the peer's own libraries may have."""
    found = json.loads(output.splitlines()[-1])
    offered = [collective for collective in COLLECTIVES if (peer, collective) != ("oneccl", "gather")]
    assert found["wrong"] == dict.fromkeys(offered, 0)
    refused = {case for case in found["refused"] if " float16 " not in case}
    assert refused == (REFUSED_BY_ONECCL if peer == "oneccl" else REFUSED_BY_MPI)
    assert found["version"].startswith(TITLES[peer])
    assert found["ranks"] == RANKS


@pytest.mark.skipif(
    find_spec("mpi4py") is None or launch.find_mpirun() is None, reason="Open MPI or mpi4py is not installed"
)
def test_openmpi() -> None:
    ended = mpirun([PROGRAM, PACKAGES, "openmpi"], RANKS, TIMEOUT)
    assert ended.returncode == 0, ended.stdout
    check("openmpi", ended.stdout)


@pytest.mark.parametrize("name", ["mpich", "intelmpi", "oneccl"])
def test_a_foreign_peer(name: str) -> None:
    try:
        peer = peers.find(name)
    except peers.Missing as missing:
        pytest.skip(str(missing))
    assert peer is not None
    command = peer.command(RANKS, ["python", str(PROGRAM), str(PACKAGES), name])
    ended = subprocess.run(command, env=peer.environment(RANKS), capture_output=True, text=True, timeout=TIMEOUT)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    check(name, ended.stdout)
