"""The ``allred bench`` subcommand: its options, and the two ways of getting ranks."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from allred import launcher
from allred.cli import launch
from allred.cli.bench.plan import COLLECTIVES, OPS, PEERS, Plan
from allred.cli.errors import UsageError
from allred.cli.sizes import parse_sizes

NAME = "bench"
SUMMARY = "Measure collectives beside other libraries, in the same processes, with every result checked."

DEFAULT_RANKS = 2
T = TypeVar("T")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of ``allred bench``."""
    defaults = Plan(collective="all_reduce", ranks=DEFAULT_RANKS, sizes=())
    add = parser.add_argument
    add("collective", metavar="COLLECTIVE", choices=COLLECTIVES, help=", ".join(COLLECTIVES))
    add("--ranks", type=_positive(int), help=f"processes to start; {DEFAULT_RANKS}, or those of the job it is part of")
    add("--sizes", type=_sizes, default="4:256M", help="bytes: FIRST:LAST[:FACTOR], or a list such as 4,64K,1M")
    add("--dtype", choices=_DTYPES, default=defaults.dtype, metavar="DTYPE", help="type of the elements")
    add("--op", choices=OPS, default=defaults.op, metavar="OP", help=", ".join(OPS))
    add("--peers", type=_names, default="", help=f"libraries to measure beside allred: {','.join(PEERS)}")
    add("--algorithms", type=_names, default="auto", help="allred's algorithms, such as auto,one_shot,ring")
    add("--blocks", type=_positive(int), default=defaults.blocks, help="turns of each library at each size")
    add("--seconds-per-size", type=_positive(float), default=defaults.seconds_per_size, help="timed, for each library")
    add("--iterations", type=_positive(int), help="calls a block, instead of --seconds-per-size")
    add("--timeout", type=_positive(float), default=defaults.timeout, help="seconds without progress to give up after")
    add("--json", type=Path, metavar="FILE", help="write the results to this file, too")


def run(args: argparse.Namespace) -> int:
    """Measures, reports, and returns 0 if every element was right.

    Raises:
        UsageError: what was asked for is not known or not installed.
        CommandFailed: a rank failed or hung.
    """
    if find_spec("rich") is None:
        raise UsageError("it prints with rich, which is not installed: pip install 'allred[bench]'")
    from allred.cli.bench.session import Session

    found = launcher.detect()
    plan = _plan(args, found)
    if found.name == "alone":
        session = Session(plan, args.argv)
        with session:
            words = ["-m", "allred.cli.bench.worker", plan.to_json()]
            mpi = "openmpi" in plan.peers or find_spec("torch") is None
            launch.run_ranks(words, plan.ranks, mpi=mpi, silence=plan.timeout, on_event=session.on_event)
        return session.report(args.json)

    from allred.cli.bench import worker

    if found.rank != 0:
        worker.run(plan, lambda event: None)
        return 0
    session = Session(plan, args.argv)
    with session:
        worker.run(plan, session.on_event)
    return session.report(args.json)


def _plan(args: argparse.Namespace, found: launcher.Launcher) -> Plan:
    _check_known("peer", args.peers, PEERS)
    _check_known("algorithm", args.algorithms, _algorithms(args.collective))
    _check_installed(args, found)
    if found.name != "alone" and args.ranks not in (None, found.size):
        raise UsageError(f"--ranks {args.ranks}: this job, started by {found.name}, has {found.size} ranks")
    return Plan(
        collective=args.collective,
        ranks=(args.ranks or DEFAULT_RANKS) if found.name == "alone" else found.size,
        sizes=(0,) if args.collective == "barrier" else args.sizes,
        dtype=args.dtype,
        op=args.op,
        peers=args.peers,
        algorithms=args.algorithms,
        blocks=args.blocks,
        seconds_per_size=args.seconds_per_size,
        iterations=args.iterations,
        timeout=args.timeout,
    )
