"""The ``allred bench`` subcommand: from its options to its report."""

from __future__ import annotations

import argparse
import json
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from allred import launcher
from allred.cli.bench import compare, peers
from allred.cli.bench.document import document
from allred.cli.bench.options import add_options, plan_of
from allred.cli.bench.plan import COLLECTIVES, Plan
from allred.cli.errors import CommandFailed, UsageError

if TYPE_CHECKING:
    from allred.cli.bench.session import Outcome

NAME = "bench"
SUMMARY = "Measure collectives beside other libraries, which take turns with allred, with every result checked."
COMPARE_SUMMARY = "Compare two files that --json has written."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares a subcommand for each collective, and ``compare``."""
    subparsers = parser.add_subparsers(required=True, metavar="COLLECTIVE", help=", ".join(COLLECTIVES))
    for collective in COLLECTIVES:
        subparser = subparsers.add_parser(collective, description=f"Measure {collective}.")
        add_options(subparser, collective)
        subparser.set_defaults(collective=collective, run=_run, parser=subparser)
    comparer = subparsers.add_parser("compare", help=COMPARE_SUMMARY, description=COMPARE_SUMMARY)
    compare.add_arguments(comparer)
    comparer.set_defaults(run=compare.run, parser=comparer)


def run(args: argparse.Namespace) -> int:
    """Carries out the subcommand, and returns 0 if all was right.

    Raises:
        UsageError: what was asked for is not known or not installed.
        CommandFailed: a rank failed or hung, or a file cannot be written.
    """
    return int(args.run(args))


def _run(args: argparse.Namespace) -> int:
    """Measures, reports, and returns 0 if every element was right."""
    found = launcher.detect()
    plan = plan_of(args, found)
    _check_installed(args)
    foreign = _foreign_peers(plan, found)
    from allred.cli.bench import session

    if found.name == "alone":
        mpi = "openmpi" in plan.peers or find_spec("torch") is None
        return _report(args, plan, session.run_alone(plan, foreign, mpi=mpi))
    outcome = session.join(plan, foreign)
    return 0 if outcome is None else _report(args, plan, outcome)


def _check_installed(args: argparse.Namespace) -> None:
    if find_spec("rich") is None:
        raise UsageError("it prints with rich, which is not installed: pip install 'allred[bench]'")
    if args.plot is not None and find_spec("matplotlib") is None:
        raise UsageError("--plot draws with matplotlib, which is not installed: pip install 'allred[bench]'")


def _foreign_peers(plan: Plan, found: launcher.Launcher) -> list[peers.ForeignPeer]:
    """Those that take part in processes of their own. Raises UsageError where one cannot take part."""
    if "openmpi" in plan.peers and found.name not in ("alone", "openmpi"):
        raise UsageError(f"peer openmpi takes part where mpirun or no launcher starts the ranks, not {found.name}")
    try:
        return [foreign for peer in plan.peers if (foreign := peers.find(peer)) is not None]
    except peers.Missing as missing:
        raise UsageError(str(missing)) from missing


def _report(args: argparse.Namespace, plan: Plan, outcome: Outcome) -> int:
    """Prints, writes and draws what was found; returns 0 if no element was wrong."""
    from rich.console import Console

    from allred.cli.bench import report

    result = document(plan, outcome.records, outcome.versions, args.argv)
    report.show(result, Console())
    for library, reasons in outcome.left_out.items():
        print(f"{library}: left out at {len(reasons)} of {len(outcome.records)} sizes: {reasons[0]}")
    for remark in outcome.remarks:
        print(remark, file=sys.stderr)
    _write(args, result)
    wrong = sum(library["wrong"] for record in outcome.records for library in record["libraries"])
    if wrong:
        print(f"{wrong} elements were wrong")
    return 1 if wrong else 0


def _write(args: argparse.Namespace, result: dict[str, Any]) -> None:
    """Raises CommandFailed where a file cannot be written."""
    try:
        if args.json is not None:
            args.json.write_text(json.dumps(result, indent=1) + "\n")
        if args.plot is not None:
            from allred.cli.bench import plot

            plot.draw(result, args.plot)
    except OSError as error:
        raise CommandFailed(f"{error.filename}: {error.strerror}") from error
