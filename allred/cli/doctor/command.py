"""The ``allred doctor`` subcommand."""

from __future__ import annotations

import argparse

from allred import launcher
from allred.cli.console import require_rich

NAME = "doctor"
SUMMARY = "Say what this machine allows and lacks, and what to do about it; under a launcher, on every rank."

DEFAULT_TIMEOUT = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of ``allred doctor``."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument(
        "--timeout", type=float, default=DEFAULT_TIMEOUT, metavar="S", help="seconds to wait for ranks [%(default)s]"
    )


def run(args: argparse.Namespace) -> int:
    """Checks and reports; 1 if there is a problem on any rank, else 0.

    Raises:
        UsageError: rich is not installed, and the output is not to be JSON.
    """
    if not args.json:
        require_rich()
    from allred.cli.doctor import report
    from allred.cli.doctor.check import Sources
    from allred.cli.doctor.examination import examine, join

    own = examine(Sources())
    try:
        found = launcher.detect()
    except ValueError:  # of which the check of the launcher tells
        found = launcher.Launcher("alone", 0, 1)
    ranks = [own] if found.name == "alone" else join(own, args.timeout)
    if found.rank == 0:
        print(report.as_json(ranks)) if args.json else report.print_table(ranks)
    return 1 if report.has_problem(ranks) else 0
