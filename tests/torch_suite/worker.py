"""Runs torch's tests on one backend and one number of ranks; prints each outcome as JSON, once it is known.

A program of its own, since torch's tests read backend and number of ranks as they are imported. What they print
themselves goes where errors go.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path


def environment(size: int, seconds: int, scratch: Path) -> Mapping[str, str]:
    """What has to be set before torch is imported. Libraries get one thread: a fork would lack the others."""
    return {
        "BACKEND": "gloo",
        "WORLD_SIZE": str(size),
        "INIT_METHOD": f"file://{scratch}/init_method",
        "TEMP_DIR": str(scratch),
        "TMPDIR": str(scratch),
        "DISTRIBUTED_TESTS_DEFAULT_TIMEOUT": str(seconds),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }


def check_single_threaded() -> None:
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads > 1:
        sys.exit(f"this process has {threads} threads, so its forks could find locks held by those they lack")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", choices=["gloo", "allred"], required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--tests", default="", help="a regular expression")
    parser.add_argument("--seconds", type=int, default=90, help="after which a test counts as hanging")
    parser.add_argument("--own-ddp", action="store_true", help="allred's DistributedDataParallel in place of torch's")
    parser.add_argument("--scratch", type=Path, required=True, help="an empty directory, for what torch leaves behind")
    args = parser.parse_args()
    os.environ.update(environment(args.size, args.seconds, args.scratch))
    results = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    import forked

    if args.backend == "allred":
        import standin

        standin.install()
        if args.own_ddp:
            standin.install_ddp()
    forked.offer_all_to_all()
    check_single_threaded()
    for name in forked.test_names(args.tests):
        print(json.dumps(asdict(forked.run_test(name))), file=results)


if __name__ == "__main__":
    main()
