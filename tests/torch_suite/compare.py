"""Runs torch's own distributed tests on Gloo and on allred, and lists their outcomes side by side.

Exits with 1 if a test does worse on allred than on Gloo and explained.py does not say why.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import subset
from columns import run_column
from difference import difference, differences, unexplained
from explained import EXPLANATIONS
from outcome import Column, Outcomes, load, save
from report import markdown

TORCH = importlib.metadata.version("torch")
SIZES = (2, 3, 4, 8)  # torch runs its tests of subgroups on eight ranks or more only


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", help=f"numbers of ranks (default: {SIZES})")
    parser.add_argument("--backends", nargs="+", choices=["gloo", "allred"], default=["gloo", "allred"])
    parser.add_argument("--tests", default="", metavar="PATTERN", help="a regular expression for the tests' names")
    parser.add_argument("--own-ddp", action="store_true", help="with allred's DistributedDataParallel on allred")
    parser.add_argument("--fast", action="store_true", help="the subset of subset.py, all of which passes on Gloo")
    parser.add_argument("--outcomes", type=Path, metavar="JSON", help="known outcomes; those of this run are added")
    parser.add_argument("--output", type=Path, metavar="MARKDOWN", help="where the list goes")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="columns run at a time")
    parser.add_argument("--seconds", type=int, default=90, help="after which a test counts as hanging")
    args = parser.parse_args()
    if args.fast:
        args.tests = subset.pattern(fast_tests(args))
    args.sizes = args.sizes or (subset.SIZES if args.fast else SIZES)
    return args


def fast_tests(args: argparse.Namespace) -> tuple[str, ...]:
    return subset.OWN_DDP if args.own_ddp else subset.TESTS


class Comparison:
    """The outcomes known so far; columns may be run by several threads. Prints what differs when it turns up."""

    def __init__(self, outcomes: Outcomes) -> None:
        self.outcomes = outcomes
        self._lock = threading.Lock()

    def run(self, column: Column, args: argparse.Namespace) -> None:
        counts = Counter[str]()
        for outcome in run_column(column, args.tests, args.seconds, args.own_ddp):
            counts[outcome.kind] += 1
            with self._lock:
                self.outcomes.setdefault(column, {})[outcome.test] = outcome
                found = difference(self.outcomes, column.size, outcome.test)
            if found:
                print(found, flush=True)
        print(f"{column}: " + ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())), flush=True)


def main() -> int:
    args = parse_args()
    comparison = Comparison(load(args.outcomes) if args.outcomes else {})
    if args.fast:
        comparison.outcomes.update(subset.known_of_gloo(args.sizes, fast_tests(args)))
    with ThreadPoolExecutor(max(1, args.jobs)) as threads:
        columns = [Column(backend, size) for size in args.sizes for backend in args.backends]
        for done in [threads.submit(comparison.run, column, args) for column in columns]:
            done.result()
    for column in columns if args.fast else ():
        if missing := set(fast_tests(args)) - set(comparison.outcomes[column]):
            sys.exit(f"torch {TORCH} has no tests of these names: {sorted(missing)}")
    if args.outcomes:
        save(comparison.outcomes, args.outcomes)
    if args.output:
        args.output.write_text(markdown(comparison.outcomes, EXPLANATIONS, TORCH))
    worse = unexplained(differences(comparison.outcomes), EXPLANATIONS)
    print(f"{len(worse)} tests do worse on allred than on Gloo and are not explained")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
