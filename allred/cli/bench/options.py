"""The options of ``allred bench COLLECTIVE``, and the plan that they make."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from allred import launcher
from allred.cli.bench.elements import DTYPES
from allred.cli.bench.peers import PEERS
from allred.cli.bench.plan import MEMORIES, OPS, PLACEMENTS, Plan, algorithms_of, placements_of
from allred.cli.errors import UsageError
from allred.cli.sizes import parse_sizes

DEFAULT_RANKS = 2
T = TypeVar("T", int, float)


def add_options(parser: argparse.ArgumentParser, collective: str) -> None:
    """Declares what all collectives take, so that one command line can be repeated for each."""
    defaults = Plan(collective=collective, ranks=DEFAULT_RANKS, sizes=())
    _add_what(parser, defaults)
    _add_lines(parser, defaults)
    _add_effort(parser, defaults)
    results = parser.add_argument_group("results")
    results.add_argument("--json", type=Path, metavar="FILE", help="write the results to this file, too")
    results.add_argument("--plot", type=Path, metavar="FILE.png", help="draw the results, too")


def _add_what(parser: argparse.ArgumentParser, defaults: Plan) -> None:
    add = parser.add_argument
    add("--ranks", type=_positive(int), metavar="N", help=f"processes to start [{DEFAULT_RANKS}]")
    add("--sizes", type=_sizes, default="4:256M", help="bytes: FIRST:LAST[:FACTOR] or a list: 4,64K,1M [%(default)s]")
    add("--dtype", choices=DTYPES, default=defaults.dtype, metavar="DTYPE", help=f"{', '.join(DTYPES)} [%(default)s]")
    add("--op", choices=OPS, default=defaults.op, metavar="OP", help=f"{', '.join(OPS)} [%(default)s]")
    add("--root", type=int, default=defaults.root, metavar="RANK", help="of collectives that have one [%(default)s]")


def _add_lines(parser: argparse.ArgumentParser, defaults: Plan) -> None:
    add = parser.add_argument_group("what takes turns").add_argument
    known = algorithms_of(defaults.collective)
    add("--peers", type=_names, default="", help=f"libraries beside allred: {','.join(PEERS)} [none]")
    add("--algorithms", type=_names, default="auto", help=f"of allred: {','.join(known)} [%(default)s]")
    add("--memory", type=_names, default="private", help=f"of allred's buffers: {','.join(MEMORIES)} [%(default)s]")
    placements = ",".join(placements_of(defaults.collective))
    add("--placement", type=_names, help=f"of the output: {','.join(PLACEMENTS)} [{placements}]")


def _add_effort(parser: argparse.ArgumentParser, defaults: Plan) -> None:
    add = parser.add_argument_group("effort").add_argument
    add("--blocks", type=_positive(int), default=defaults.blocks, metavar="N", help="turns of each line [%(default)s]")
    add(
        "--seconds-per-size",
        type=_positive(float),
        default=defaults.seconds_per_size,
        metavar="S",
        help="for how long each line is timed at each size [%(default)s]",
    )
    add("--iterations", type=_positive(int), metavar="N", help="calls a block, instead of --seconds-per-size")
    add(
        "--timeout",
        type=_positive(float),
        default=defaults.timeout,
        metavar="S",
        help="seconds without an answer from a rank after which to give up [%(default)s]",
    )


def plan_of(args: argparse.Namespace, found: launcher.Launcher) -> Plan:
    """The plan of a run in a process started by that launcher.

    Raises:
        UsageError: options do not fit each other, the collective, or the job.
    """
    if found.name != "alone" and args.ranks not in (None, found.size):
        raise UsageError(f"--ranks {args.ranks}: this job, started by {found.name}, has {found.size} ranks")
    _check_known("--peers", args.peers, PEERS)
    _check_known("--memory", args.memory, MEMORIES)
    placements = placements_of(args.collective)
    _check_known("--placement", args.placement or placements, placements)
    plan = Plan(
        collective=args.collective,
        ranks=(args.ranks or DEFAULT_RANKS) if found.name == "alone" else found.size,
        sizes=(0,) if args.collective == "barrier" else args.sizes,
        dtype=args.dtype,
        op=args.op,
        root=args.root,
        peers=tuple(peer for peer in PEERS if peer in args.peers),  # as their lines will follow each other
        algorithms=_algorithms(args),
        memories=args.memory,
        placements=args.placement or placements,
        blocks=args.blocks,
        seconds_per_size=args.seconds_per_size,
        iterations=args.iterations,
        timeout=args.timeout,
    )
    _check_fit(plan)
    return plan


def _algorithms(args: argparse.Namespace) -> tuple[str, ...]:
    """As the collective calls them; "tree" is whichever tree it has."""
    known = algorithms_of(args.collective)
    trees = [name for name in known if name.endswith("_tree")]
    names = tuple(trees[0] if name == "tree" and trees else name for name in args.algorithms)
    _check_known("--algorithms", names, known)
    return tuple(dict.fromkeys(names))


def _check_known(option: str, names: Iterable[str], known: Iterable[str]) -> None:
    for name in names:
        if name not in known:
            raise UsageError(f"{option}: {name!r} is not known here; expected some of: {', '.join(known)}")


def _check_fit(plan: Plan) -> None:
    element = plan.element
    if element.name == "bfloat16" and find_spec("torch") is None:
        raise UsageError("numpy has no bfloat16, and torch, which has, is not installed: pip install torch")
    if plan.reduces and plan.op in ("band", "bor", "bxor") and not element.is_integer:
        raise UsageError(f"--op {plan.op} is defined for integers, not for {element.name}")
    if plan.reduces and plan.op == "avg" and element.is_integer:
        raise UsageError(f"--op avg is defined for floating-point types, not for {element.name}")
    if not 0 <= plan.root < plan.ranks:
        raise UsageError(f"--root {plan.root}: expected a rank, 0 to {plan.ranks - 1}")
    if plan.collective == "send_recv" and plan.ranks % 2:
        raise UsageError(f"send_recv goes on between pairs of ranks, and {plan.ranks} ranks are not pairs")


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
