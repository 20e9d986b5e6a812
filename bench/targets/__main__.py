"""Measures every target and writes down what has become of it: ``make targets [ROWS="NAME ..."] [EFFORT=quick|full]``.

Raw results go to bench/results/targets/NAME.json, the verdicts to bench/results/targets.json, and the table to the
README. A row that is not measured again keeps its figures.
"""

from __future__ import annotations

import argparse
import time

from targets import rows
from targets.effort import FULL, QUICK, USUAL
from targets.measurement import NotMeasurable
from targets.results import Results, table, write_table

EFFORTS = {"quick": QUICK, "usual": USUAL, "full": FULL}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m targets", description=__doc__)
    names = [measurement.name for measurement in rows.ALL]
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"which to measure [all]: {', '.join(names)}")
    effort = parser.add_mutually_exclusive_group()
    for name, help_text in (("quick", "a few sizes, in three minutes"), ("full", "every power of two")):
        effort.add_argument(
            f"--{name}", dest="effort", action="store_const", const=name, default="usual", help=help_text
        )
    parser.add_argument("--no-readme", action="store_true", help="print the table only")
    args = parser.parse_args()
    if unknown := set(args.rows) - set(names):
        parser.error(f"unknown rows {sorted(unknown)}; expected some of: {', '.join(names)}")
    return args


def main() -> None:
    args = parse()
    results = Results()
    for measurement in rows.ALL:
        if args.rows and measurement.name not in args.rows:
            continue
        begin = time.monotonic()
        try:
            results.keep(measurement, measurement.measure(EFFORTS[args.effort]), args.effort)
            print(f"{measurement.name}: {time.monotonic() - begin:.0f} s", flush=True)
        except NotMeasurable as reason:
            print(f"{measurement.name}: not measured: {reason}", flush=True)
        if not args.no_readme:  # after each, so that nothing is lost if the next is interrupted
            write_table(results.judge(rows.ALL))
    print(table(results.judge(rows.ALL)))


if __name__ == "__main__":
    main()
