"""The ``allred explain`` subcommand: its options, and what it prints."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from allred import _core, tuning
from allred.cli.bench.elements import DTYPES
from allred.cli.bench.plan import OPS
from allred.cli.errors import CommandFailed, UsageError
from allred.cli.explain.explanation import Explanation, document
from allred.cli.explain.reasons import describe_choice
from allred.cli.explain.report import describe
from allred.cli.simulate.model import COLLECTIVES, INTRA_SEGMENT_BYTES, CallSize
from allred.cli.simulate.options import INTRA_HOST, add_cost_options, argument, costs_of, positive, positive_size
from allred.config import Config

NAME = "explain"
SUMMARY = "Say which algorithm carries out a call on one host, why, what it costs, and draw it."
MOST_DRAWN_RANKS = 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of ``allred explain``."""
    add = parser.add_argument
    add("collective", metavar="COLLECTIVE", choices=COLLECTIVES, help=", ".join(COLLECTIVES))
    add("--ranks", type=argument(positive), default=8, metavar="N", help="of one host [%(default)s]")
    add("--bytes", type=argument(positive_size), default="1M", metavar="SIZE", help="of the message [%(default)s]")
    add("--cores", type=argument(positive), metavar="N", help="that the ranks may use [those of this process]")
    add("--algorithm", metavar="NAME", help="explain this one instead of the one that would be chosen")
    add("--dtype", choices=DTYPES, default="float32", metavar="DTYPE", help="of the elements [%(default)s]")
    add("--op", choices=OPS, default="sum", metavar="OP", help="of a reduction [%(default)s]")
    add("--root", type=int, default=0, metavar="RANK", help="of a rooted collective [%(default)s]")
    add("--draw", type=Path, metavar="FILE", help="draw who does what when: .png, .svg or .pdf")
    add("--json", type=Path, metavar="FILE", help="write all of it, with the steps of all ranks, to this file")
    add_cost_options(parser, INTRA_HOST)


def run(args: argparse.Namespace) -> int:
    """Explains, and draws if it is to.

    Raises:
        UsageError: what was asked for does not exist, or matplotlib is not installed.
        CommandFailed: a file cannot be written.
    """
    if args.draw is not None:
        _check_drawing(args)
    explanation = explain(args)
    for line in describe(explanation):
        print(line)
    try:
        if args.json is not None:
            args.json.write_text(json.dumps(document(explanation), indent=1) + "\n")
        if args.draw is not None:
            from allred.cli.explain.drawing import draw

            draw(explanation, args.draw)
            print(f"drawn: {args.draw}")
    except OSError as error:
        raise CommandFailed(f"{error.filename}: {error.strerror}") from error
    return 0


def explain(args: argparse.Namespace) -> Explanation:
    """What the command line asks for.

    Raises:
        UsageError: there is no such algorithm for the collective, or no such root.
    """
    call = CallSize(collective=args.collective, bytes=args.bytes, ranks=args.ranks, dtype=args.dtype)
    if not 0 <= args.root < call.ranks:
        raise UsageError(f"--root {args.root} is not one of the {call.ranks} ranks, which count from 0")
    cluster = costs_of(args).cluster(1, call.ranks, INTRA_SEGMENT_BYTES)
    modelled = _core.candidates(call.collective, cluster)
    algorithm, reasons = _choose(call, args, modelled)
    arguments = (call.collective, algorithm, cluster, call.count, call.dtype, args.root)
    return Explanation(
        call=call,
        op=args.op,
        root=args.root,
        algorithm=algorithm,
        reasons=reasons,
        prediction=_core.predict(*arguments) if algorithm in modelled else None,
        timeline=_core.trace(*arguments) if algorithm in modelled and args.draw is not None else None,
    )


def _choose(call: CallSize, args: argparse.Namespace, modelled: Sequence[str]) -> tuple[str, list[str]]:
    """The algorithm to explain, and why it would or would not be taken."""
    config = Config.from_environment()
    setting = config.all_reduce_algorithm if call.collective == "all_reduce" else "auto"
    cores = args.cores or len(os.sched_getaffinity(0))
    numbers = tuning.numbers_for(call.ranks, config.tuning)
    choice = _core.choose(call.collective, call.count, call.dtype, call.ranks, cores, tuning=numbers)
    chosen = choice.algorithm if setting == "auto" else setting
    algorithm = args.algorithm or chosen
    if algorithm not in (choice.algorithm, *modelled):
        raise UsageError(
            f"algorithm {algorithm!r} does not carry out {call.collective}; expected one of: {', '.join(modelled)}"
        )
    if algorithm == "one_shot" and choice.contribution_bytes > choice.mailbox_bytes:
        raise UsageError(
            f"algorithm one_shot carries at most {choice.mailbox_bytes:,} B a rank, got {choice.contribution_bytes:,}"
        )
    reasons = describe_choice(choice, setting)
    if args.algorithm:
        reasons = [f"{algorithm} was asked for; left alone, it would be {chosen}:", *reasons]
    return algorithm, reasons


def _check_drawing(args: argparse.Namespace) -> None:
    if find_spec("matplotlib") is None:
        raise UsageError("--draw needs matplotlib, which is not installed: pip install 'allred[bench]'")
    if args.draw.suffix not in (".png", ".svg", ".pdf"):
        raise UsageError(f"--draw {args.draw}: expected a name that ends in .png, .svg or .pdf")
    if args.ranks > MOST_DRAWN_RANKS:
        raise UsageError(f"--draw shows at most {MOST_DRAWN_RANKS} ranks, not {args.ranks}")
