"""The ``allred tune`` subcommand: its options, and the two ways of getting ranks."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path

from allred import _core, launcher
from allred.cli import events, launch
from allred.cli.console import require_rich
from allred.cli.errors import UsageError
from allred.cli.sizes import parse_sizes
from allred.cli.tune.plan import Plan

NAME = "tune"
SUMMARY = "Measure where one algorithm overtakes another on this machine, and keep the numbers for all programs."

DEFAULT_RANKS = 2
DEFAULT_SIZES = "1K:32M"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of ``allred tune``."""
    defaults = Plan(ranks=DEFAULT_RANKS, sizes=())
    add = parser.add_argument
    add("--ranks", type=int, metavar="N", help=f"processes to start [{DEFAULT_RANKS}]")
    add("--sizes", type=_sizes, default=DEFAULT_SIZES, help="bytes: FIRST:LAST[:FACTOR] or a list [%(default)s]")
    add("--chunks", type=_sizes, default=defaults.chunks, help="bytes of a round of staging to try [32K:1M]")
    add("--blocks", type=int, default=defaults.blocks, metavar="N", help="turns of each candidate [%(default)s]")
    add(
        "--seconds-per-size",
        type=float,
        default=defaults.seconds,
        metavar="S",
        help="for how long each candidate is timed at each size [%(default)s]",
    )
    add("--timeout", type=float, default=defaults.timeout, metavar="S", help="seconds to wait [%(default)s]")
    add("--output", type=Path, metavar="FILE", help="where to write the table [this user's, of this machine]")
    add("--dry-run", action="store_true", help="print the table, and write nothing")


def run(args: argparse.Namespace) -> int:
    """Measures, prints, and writes the table; returns 0.

    Raises:
        UsageError: what was asked for is not possible.
        CommandFailed: a rank failed or hung, or the table cannot be written.
    """
    require_rich()
    found = launcher.detect()
    plan = _plan(args, found)
    from allred.cli.tune import worker
    from allred.cli.tune.session import Session

    if found.name != "alone" and found.rank != 0:
        worker.run(plan, events.ignore)
        return 0
    with Session(plan) as session:
        if found.name == "alone":
            words = ["-m", "allred.cli.tune.worker", plan.to_json()]
            mpi = find_spec("torch") is None
            launch.run_ranks(words, plan.ranks, mpi=mpi, silence=plan.timeout, on_event=session.on_event)
        else:
            worker.run(plan, session.on_event)
    return session.conclude(args.output, args.dry_run)


def _plan(args: argparse.Namespace, found: launcher.Launcher) -> Plan:
    ranks = (args.ranks or DEFAULT_RANKS) if found.name == "alone" else found.size
    if args.ranks not in (None, ranks):
        raise UsageError(f"--ranks {args.ranks}: this job, started by {found.name}, has {found.size} ranks")
    if ranks < 2:
        raise UsageError(f"--ranks {ranks}: at least 2 are needed, as one rank alone has nothing to exchange")
    for name in ("blocks", "seconds_per_size", "timeout"):
        if getattr(args, name) <= 0:
            raise UsageError(f"--{name.replace('_', '-')} {getattr(args, name)}: expected a positive number")
    for chunk in args.chunks:
        _core.complete_tuning({"chunk_bytes": chunk})  # raises where it is out of range
    return Plan(
        ranks=ranks,
        sizes=tuple(sorted(args.sizes)),
        chunks=tuple(sorted(args.chunks)),
        blocks=args.blocks,
        seconds=args.seconds_per_size,
        timeout=args.timeout,
    )


def _sizes(text: str) -> tuple[int, ...]:
    try:
        sizes = parse_sizes(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if min(sizes) < 4:
        raise argparse.ArgumentTypeError(f"{text!r}: the least is 4 bytes, one float32")
    return sizes
