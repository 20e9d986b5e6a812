"""Options that the simulating subcommands share."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import TypeVar

from allred.cli.simulate.model import Costs
from allred.cli.sizes import parse_size
from allred.cli.units import format_rate, format_seconds, parse_rate, parse_seconds

T = TypeVar("T")

_HELP = {
    "latency": "between two hosts",
    "bandwidth": "of a host's network link, which its ranks share",
    "intra_latency": "between two ranks of a host",
    "intra_bandwidth": "at which a core copies to or from another rank",
    "reduce_bandwidth": "at which a core adds what it gets to what it has",
    "overhead": "of a core for each segment sent, and for each received",
}


ALL_COSTS = tuple(_HELP)
INTRA_HOST = ("intra_latency", "intra_bandwidth", "reduce_bandwidth", "overhead")


def add_cost_options(parser: argparse.ArgumentParser, names: Sequence[str] = ALL_COSTS) -> None:
    """One option for each of the named fields of :class:`Costs`."""
    for name in names:
        is_rate = name.endswith("bandwidth")
        default = getattr(Costs(), name)
        shown = (format_rate if is_rate else format_seconds)(default).replace(" ", "")
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=argument(parse_rate if is_rate else parse_seconds),
            default=default,
            metavar="RATE" if is_rate else "TIME",
            help=f"{_HELP[name]} [{shown}]",
        )


def costs_of(args: argparse.Namespace) -> Costs:
    """What the options say; of those that the subcommand does not have, the defaults."""
    return Costs(**{name: getattr(args, name) for name in ALL_COSTS if hasattr(args, name)})


def argument(parse: Callable[[str], T]) -> Callable[[str], T]:
    """The parser as a type of argparse, which shows its complaint."""

    def convert(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert


def positive(text: str) -> int:
    """An integer of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"{text!r} is not an integer of at least 1")
    return int(text)


def positive_size(text: str) -> int:
    """A size in bytes of at least 1."""
    size = parse_size(text)
    if size < 1:
        raise ValueError(f"{text!r}: expected at least 1 byte")
    return size


def split_names(text: str) -> tuple[str, ...]:
    """The words of a comma-separated list."""
    return tuple(word.strip() for word in text.split(",") if word.strip())
