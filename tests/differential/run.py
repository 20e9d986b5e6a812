"""Random programs on Gloo and on allred: says where their results differ.

python tests/differential/run.py --seeds 0:2000 --ranks 3    the programs of so many seeds
python tests/differential/run.py --seeds 1234 --ranks 3      the one that failed
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from differential import faulty, kinds
from differential.execute import Options
from differential.ranks import failing_seeds, report


def seed_range(text: str) -> range:
    first, _, last = text.partition(":")
    return range(int(first), int(last) if last else int(first) + 1)


def parser() -> argparse.ArgumentParser:
    it = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    it.add_argument("--seeds", type=seed_range, default=range(1000), metavar="FIRST:LAST", help="or a single one")
    it.add_argument("--ranks", type=int, default=3)
    it.add_argument(
        "--backend", default="allred", help="what to compare with Gloo; 'gloo' tells a mistake of this test"
    )
    it.add_argument("--calls", default=",".join(kinds.ALL), metavar="KIND,...", help="among: %(default)s")
    it.add_argument("--failures", type=int, default=1, metavar="COUNT", help="stop after so many failing seeds")
    it.add_argument("--fault", default="", choices=sorted(faulty.FAULTS), help="what the backend is to do wrong")
    it.add_argument("--timeout", type=float, default=Options.timeout, metavar="SECONDS", help="of each call")
    return it


def main() -> int:
    args = parser().parse_args()
    options = Options(args.backend, tuple(args.calls.split(",")), args.fault, args.timeout)
    start = time.monotonic()
    failed = 0
    for failures in failing_seeds(args.seeds, args.ranks, options):
        print(report(failures, args.ranks, options), flush=True)
        failed += 1
        if failed == args.failures:
            return 1
    seconds = time.monotonic() - start
    print(f"{len(args.seeds)} programs on {args.ranks} ranks in {seconds:.1f} s: {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
