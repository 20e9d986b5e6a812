"""The ``allred trace`` subcommand: its options, and what it prints."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path

from allred.cli.errors import CommandFailed, UsageError
from allred.cli.trace.report import describe
from allred.tracing.document import Document, read, write
from allred.tracing.summary import summarize

NAME = "trace"
SUMMARY = "Say what a trace comes to: calls, bytes, time spent waiting, and the rank that was waited for."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of ``allred trace``."""
    add = parser.add_argument
    add("files", type=Path, nargs="+", metavar="FILE", help="what allred.trace wrote: of all ranks, or one a rank")
    add("--output", type=Path, metavar="FILE", help="write the trace of all files as one")
    add("--draw", type=Path, metavar="FILE.png", help="draw it: .png, .svg or .pdf; needs matplotlib")
    add("--steps", type=_steps, metavar="FIRST[:LAST]", help="draw these steps alone, which count from 0")


def run(args: argparse.Namespace) -> int:
    """Prints the summary, and draws if it is to.

    Raises:
        UsageError: matplotlib is not installed, or there are no such steps.
        CommandFailed: a file cannot be read or written.
        InvalidArgumentError: a file is no trace.
    """
    if args.draw is not None:
        _check_drawing(args.draw)
    elif args.steps is not None:
        raise UsageError("--steps goes with --draw")
    try:
        document = read(args.files)
        for line in describe(summarize(document)):
            print(line)
        if args.output is not None:
            write(document, args.output)
            print(f"written: {args.output}")
        if args.draw is not None:
            _draw(document, args)
    except OSError as error:
        raise CommandFailed(f"{error.filename}: {error.strerror}") from error
    return 0


def _draw(document: Document, args: argparse.Namespace) -> None:
    from allred.cli.trace.drawing import draw

    try:
        draw(document, args.draw, args.steps)
    except ValueError as error:
        raise UsageError(f"--steps: {error}") from None
    print(f"drawn: {args.draw}")


def _check_drawing(path: Path) -> None:
    if find_spec("matplotlib") is None:
        raise UsageError("--draw needs matplotlib, which is not installed: pip install 'allred[bench]'")
    if path.suffix not in (".png", ".svg", ".pdf"):
        raise UsageError(f"--draw {path}: expected a name that ends in .png, .svg or .pdf")


def _steps(text: str) -> tuple[int, int]:
    first, _, last = text.partition(":")
    if not first.isdecimal() or (last and not last.isdecimal()) or int(last or first) < int(first):
        raise argparse.ArgumentTypeError(f"{text!r}: expected the number of a step, or FIRST:LAST")
    return int(first), int(last or first)
