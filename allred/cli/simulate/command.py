"""The ``allred simulate`` subcommand: its options, and what it does with them."""

from __future__ import annotations

import argparse
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from allred import _core
from allred.cli.bench.elements import DTYPES
from allred.cli.errors import CommandFailed, UsageError
from allred.cli.simulate.model import COLLECTIVES, INTRA_SEGMENT_BYTES, SEGMENT_BYTES, CallSize
from allred.cli.simulate.options import add_cost_options, argument, costs_of, positive, positive_size, split_names
from allred.cli.sizes import format_size

NAME = "simulate"
SUMMARY = "Predict what a collective takes by each algorithm on a cluster of given latency and bandwidth."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of ``allred simulate``."""
    add = parser.add_argument
    add("--hosts", type=argument(positive), default=1, metavar="N", help="how many hosts [%(default)s]")
    add("--ranks-per-host", type=argument(positive), default=8, metavar="N", help="ranks of each [%(default)s]")
    add("--bytes", type=argument(positive_size), default="100M", metavar="SIZE", help="of the message [%(default)s]")
    add("--collective", choices=COLLECTIVES, default="all_reduce", metavar="NAME", help=", ".join(COLLECTIVES))
    add(
        "--algorithms", type=split_names, default=(), metavar="NAMES", help="ring,hierarchical/ring,... [all there are]"
    )
    add("--dtype", choices=DTYPES, default="float32", metavar="DTYPE", help="of the elements [%(default)s]")
    add_cost_options(parser)
    defaults = f"{format_size(SEGMENT_BYTES)} between hosts, {format_size(INTRA_SEGMENT_BYTES)} in one"
    add("--segment", type=argument(positive_size), metavar="SIZE", help=f"the most that travels as one [{defaults}]")
    add("--json", type=Path, metavar="FILE", help="write the predictions to this file, too")
    add(
        "--check",
        action="store_true",
        help="instead: fit the model to the ring on this machine, and compare its predictions with measured times",
    )


def run(args: argparse.Namespace) -> int:
    """Predicts and reports.

    Raises:
        UsageError: an algorithm does not carry out the collective there, or rich is not installed.
        CommandFailed: a file cannot be written, or ranks of the check failed.
    """
    if find_spec("rich") is None:
        raise UsageError("it prints with rich, which is not installed: pip install 'allred[bench]'")
    found = _check() if args.check else _simulate(args)
    if args.json is not None:
        try:
            args.json.write_text(json.dumps(found, indent=1) + "\n")
        except OSError as error:
            raise CommandFailed(f"{args.json}: {error.strerror}") from error
    return 0


def _simulate(args: argparse.Namespace) -> dict[str, Any]:
    from allred.cli.simulate import report

    call = CallSize(
        collective=args.collective, bytes=args.bytes, ranks=args.hosts * args.ranks_per_host, dtype=args.dtype
    )
    segment_bytes = args.segment or (INTRA_SEGMENT_BYTES if args.hosts == 1 else SEGMENT_BYTES)
    costs = costs_of(args)
    cluster = costs.cluster(args.hosts, args.ranks_per_host, segment_bytes)
    predictions = predict_all(call, cluster, args.algorithms)
    report.print_predictions(predictions, call, cluster)
    return report.document(predictions, call, costs, cluster)


def predict_all(
    call: CallSize, cluster: _core.Cluster, algorithms: tuple[str, ...] = ()
) -> dict[str, _core.Prediction]:
    """The predictions for the algorithms, by default for all that there are, the fastest first.

    Raises:
        UsageError: an algorithm is not one of those that there are.
    """
    known = _core.candidates(call.collective, cluster)
    for name in algorithms:
        if name not in known:
            raise UsageError(
                f"algorithm {name!r} does not carry out {call.collective} on {cluster.hosts} x {cluster.ranks_per_host}"
                f" ranks; expected some of: {', '.join(known)}"
            )
    found = {
        name: _core.predict(call.collective, name, cluster, call.count, call.dtype) for name in algorithms or known
    }
    return dict(sorted(found.items(), key=lambda item: item[1].seconds))


def _check() -> dict[str, Any]:
    from allred.cli.simulate.check import check

    return check()
