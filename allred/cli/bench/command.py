"""The ``allred bench`` subcommand: its options, and the two ways of getting ranks."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from allred import launcher
from allred.cli import events, launch
from allred.cli.bench.elements import DTYPES, ElementType
from allred.cli.bench.plan import COLLECTIVES, OPS, PEERS, REDUCING, Plan, algorithms_of
from allred.cli.errors import UsageError
from allred.cli.sizes import parse_sizes

NAME = "bench"
SUMMARY = "Measure collectives beside other libraries, in the same processes, with every result checked."

DEFAULT_RANKS = 2
T = TypeVar("T", int, float)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of ``allred bench``."""
    defaults = Plan(collective="all_reduce", ranks=DEFAULT_RANKS, sizes=())
    add = parser.add_argument
    add("collective", metavar="COLLECTIVE", choices=COLLECTIVES, help=", ".join(COLLECTIVES))
    add("--ranks", type=_positive(int), metavar="N", help=f"processes to start [{DEFAULT_RANKS}]")
    add("--sizes", type=_sizes, default="4:256M", help="bytes: FIRST:LAST[:FACTOR] or a list: 4,64K,1M [%(default)s]")
    add("--dtype", choices=DTYPES, default=defaults.dtype, metavar="DTYPE", help=f"{', '.join(DTYPES)} [%(default)s]")
    add("--op", choices=OPS, default=defaults.op, metavar="OP", help=f"{', '.join(OPS)} [%(default)s]")
    add("--peers", type=_names, default="", help=f"libraries to measure beside allred: {','.join(PEERS)} [none]")
    add("--algorithms", type=_names, default="auto", help="allred's algorithms: auto,one_shot,ring,... [%(default)s]")
    add(
        "--blocks",
        type=_positive(int),
        default=defaults.blocks,
        metavar="N",
        help="turns of each library [%(default)s]",
    )
    add(
        "--seconds-per-size",
        type=_positive(float),
        default=defaults.seconds_per_size,
        metavar="S",
        help="for how long each library is timed at each size [%(default)s]",
    )
    add("--iterations", type=_positive(int), metavar="N", help="calls a block, instead of --seconds-per-size")
    add(
        "--timeout",
        type=_positive(float),
        default=defaults.timeout,
        metavar="S",
        help="seconds without progress after which to give up [%(default)s]",
    )
    add("--json", type=Path, metavar="FILE", help="write the results to this file, too")


def run(args: argparse.Namespace) -> int:
    """Measures, reports, and returns 0 if every element was right.

    Raises:
        UsageError: what was asked for is not known or not installed.
        CommandFailed: a rank failed or hung.
    """
    if find_spec("rich") is None:
        raise UsageError("it prints with rich, which is not installed: pip install 'allred[bench]'")
    found = launcher.detect()
    plan = _plan(args, found)
    if found.name != "alone":
        return _join(plan, args, found.rank)
    from allred.cli.bench.session import Session

    with Session(plan) as session:
        words = ["-m", "allred.cli.bench.worker", plan.to_json()]
        mpi = "openmpi" in plan.peers or find_spec("torch") is None
        launch.run_ranks(words, plan.ranks, mpi=mpi, silence=plan.timeout, on_event=session.on_event)
    return session.report(args.argv, args.json)


def _join(plan: Plan, args: argparse.Namespace, rank: int) -> int:
    """As one of a job's ranks, of which the first reports."""
    from allred.cli.bench import worker
    from allred.cli.bench.session import Session

    if rank != 0:
        worker.run(plan, events.ignore)
        return 0
    with Session(plan) as session:
        worker.run(plan, session.on_event)
    return session.report(args.argv, args.json)


def _plan(args: argparse.Namespace, found: launcher.Launcher) -> Plan:
    _check_known("peer", args.peers, PEERS)
    _check_known("algorithm", args.algorithms, algorithms_of(args.collective))
    _check_peers(args.peers, found)
    _check_types(args)
    if found.name != "alone" and args.ranks not in (None, found.size):
        raise UsageError(f"--ranks {args.ranks}: this job, started by {found.name}, has {found.size} ranks")
    return Plan(
        collective=args.collective,
        ranks=(args.ranks or DEFAULT_RANKS) if found.name == "alone" else found.size,
        sizes=(0,) if args.collective == "barrier" else args.sizes,
        dtype=args.dtype,
        op=args.op,
        peers=tuple(peer for peer in PEERS if peer in args.peers),  # as their lines will follow each other
        algorithms=args.algorithms,
        blocks=args.blocks,
        seconds_per_size=args.seconds_per_size,
        iterations=args.iterations,
        timeout=args.timeout,
    )


def _check_known(what: str, names: Iterable[str], known: Iterable[str]) -> None:
    for name in names:
        if name not in known:
            raise UsageError(f"{what} {name!r} is not known; expected some of: {', '.join(known)}")


def _check_peers(peers: Iterable[str], found: launcher.Launcher) -> None:
    """Says what to install, or how to start, for the peers asked for."""
    if "gloo" in peers and find_spec("torch") is None:
        raise UsageError("peer gloo is part of torch, which is not installed: pip install torch")
    if "openmpi" not in peers:
        return
    if find_spec("mpi4py") is None:
        raise UsageError("peer openmpi is called through mpi4py, which is not installed: pip install openmpi mpi4py")
    if found.name not in ("alone", "openmpi"):
        raise UsageError(f"peer openmpi takes part where mpirun or no launcher starts the ranks, not {found.name}")


def _check_types(args: argparse.Namespace) -> None:
    reduces = args.collective in REDUCING
    element = ElementType(args.dtype)
    if element.name == "bfloat16" and find_spec("torch") is None:
        raise UsageError("numpy has no bfloat16, and torch, which has, is not installed: pip install torch")
    if reduces and args.op in ("band", "bor", "bxor") and not element.is_integer:
        raise UsageError(f"--op {args.op} is defined for integers, not for {element.name}")
    if reduces and args.op == "avg" and element.is_integer:
        raise UsageError(f"--op avg is defined for floating-point types, not for {element.name}")


def _sizes(text: str) -> tuple[int, ...]:
    try:
        return parse_sizes(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for part in text.split(",") if (name := part.strip())))


def _positive(kind: Callable[[str], T]) -> Callable[[str], T]:
    def parse(text: str) -> T:
        value = kind(text)
        if value <= 0:
            raise ValueError
        return value

    parse.__name__ = f"positive {kind.__name__}"  # for argparse's message
    return parse
