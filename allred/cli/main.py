"""Entry point of the ``allred`` command: finds the subcommand, and turns its errors into messages and exit statuses."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Protocol

from allred.cli.bench import command as bench
from allred.cli.doctor import command as doctor
from allred.cli.errors import CommandFailed, UsageError
from allred.cli.explain import command as explain
from allred.cli.simulate import command as simulate
from allred.cli.trace import command as trace
from allred.cli.tune import command as tune
from allred.errors import Error


class Command(Protocol):
    """What the module of a subcommand offers."""

    NAME: str
    SUMMARY: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declares its options."""

    def run(self, args: argparse.Namespace) -> int:
        """Carries it out and returns the exit status."""


# Modules import neither torch nor MPI before they run, so that `allred --help` is quick.
COMMANDS: tuple[Command, ...] = (bench, tune, explain, simulate, trace, doctor)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line `argv`, by default this process's own.

    Returns:
        0 if all went well, 1 if the command failed, 130 if it was interrupted. A wrong command line raises SystemExit
        with status 2, as argparse does.
    """
    parser = argparse.ArgumentParser(prog="allred", description="Tools of the allred collective-communication library.")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        subparser = subparsers.add_parser(command.NAME, help=command.SUMMARY, description=command.SUMMARY)
        command.add_arguments(subparser)
        subparser.set_defaults(command=command, parser=subparser)
    args = parser.parse_args(argv)
    # So that a tool can record how it was called, whether by its name or from a test.
    args.argv = list(sys.argv[1:] if argv is None else argv)
    chosen: argparse.ArgumentParser = args.parser
    try:
        return int(args.command.run(args))
    except UsageError as error:
        chosen.error(str(error))
    except (CommandFailed, Error) as error:
        print(f"{chosen.prog}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
