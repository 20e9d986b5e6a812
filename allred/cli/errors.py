"""How a subcommand ends other than well."""

from __future__ import annotations


class UsageError(Exception):
    """The command line asks for something that is not known, or not possible here. Exit status 2."""


class CommandFailed(Exception):  # noqa: N818 - it is not an error of the program
    """The command could not do what it was asked for; the message is all that its user needs. Exit status 1."""
