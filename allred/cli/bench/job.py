"""A job as the conductor sees it: ranks that know each other and hold some of the libraries."""

from __future__ import annotations

import time
from typing import Any

from allred.cli.bench.channel import TRACE_SIGNAL, ChannelClosed, Message, RankChannel, heard
from allred.cli.bench.lines import Title
from allred.cli.errors import CommandFailed
from allred.cli.launch import GRACE_SECONDS, SECONDS_TO_TRACE, Processes


class Job:
    """The ranks of one job. Owns their channels and, where it was started for this run, their processes.

    Not thread-safe. All that talks to ranks blocks, and raises CommandFailed when one is gone or silent for too long.

    Attributes:
        name: ``"local"``, or that of the one library in it.
        starting: ranks that have called and are not ready.
        lines: what it can measure.
        versions: of its libraries.
    """

    def __init__(self, name: str, ranks: int, timeout: float, processes: Processes | None = None) -> None:
        self.name = name
        self.starting: list[RankChannel] = []
        self.lines: list[Title] = []
        self.versions: dict[str, str] = {}
        self._ready: dict[int, RankChannel] = {}
        self._ranks = ranks
        self._timeout = timeout
        self._processes = processes

    @property
    def is_ready(self) -> bool:
        """Whether all ranks are."""
        return len(self._ready) == self._ranks

    def enlist(self, channel: RankChannel) -> None:
        """Takes a starting rank's word that it is ready."""
        try:
            message = channel.receive()
        except ChannelClosed:
            raise self._failure("a rank ended while it started") from None
        self.starting.remove(channel)
        self._ready[message["rank"]] = channel
        self.lines = [Title(**title) for title in message["lines"]]
        self.versions = message["versions"]

    def check_started(self) -> None:
        """Raises CommandFailed if a process has ended, which none may before it is told to."""
        if self._processes is not None and any(status is not None for status in self._processes.statuses()):
            raise self._failure("a rank ended while it started")

    def ask(self, command: str, **arguments: Any) -> list[Message]:
        """Has all ranks carry out a command of :class:`~allred.cli.bench.rank.Rank`, and returns their answers."""
        answers: dict[int, Message] = {}
        deadline = time.monotonic() + self._timeout
        self._tell({"do": command, **arguments})
        while waiting := {channel: rank for rank, channel in self._ready.items() if rank not in answers}:
            spoken = heard(waiting, deadline - time.monotonic())
            if not spoken:
                raise self.silence(f"rank {min(waiting.values())} did not answer {command!r}")
            answers.update({waiting[channel]: self._hear(waiting[channel]) for channel in spoken})
        return [answers[rank] for rank in sorted(answers)]

    def silence(self, what: str) -> CommandFailed:
        """The error of ranks that take too long, which says where each of them is."""
        for channel in self._channels():
            channel.signal(TRACE_SIGNAL)
        if self._channels():
            time.sleep(SECONDS_TO_TRACE)
        return self._error(f"{what} within {self._timeout:g} s")

    def dismiss(self) -> str:
        """Lets the ranks end. Returns a remark if they did so other than well."""
        self._tell({"do": "quit"})
        if self._processes is None:
            return ""
        self._processes.wait(GRACE_SECONDS)
        failures = self._processes.failures()
        return str(self._error(f"ended with exit status {failures}")) if failures else ""

    def end(self) -> None:
        """Leaves nothing of what it owns behind. May be called at any time."""
        if self._processes is not None:
            self._processes.terminate()
            for channel in self._channels():  # whoever started the ranks may not get to end them
                channel.kill()
            self._processes.end()
        for channel in self._channels():
            channel.close()
        self._ready.clear()
        self.starting.clear()

    def _channels(self) -> list[RankChannel]:
        return [*self.starting, *self._ready.values()]

    def _tell(self, message: Message) -> None:
        for rank, channel in self._ready.items():
            try:
                channel.send(message)
            except ChannelClosed:
                raise self._failure(f"rank {rank} ended") from None

    def _hear(self, rank: int) -> Message:
        try:
            return self._ready[rank].receive()
        except ChannelClosed:
            raise self._failure(f"rank {rank} ended") from None

    def _failure(self, what: str) -> CommandFailed:
        """The error of a rank that is gone, once the others had time to say what they saw."""
        if self._processes is not None:
            self._processes.wait(GRACE_SECONDS)
        return self._error(what)

    def _error(self, what: str) -> CommandFailed:
        output = "" if self._processes is None else self._processes.output()
        return CommandFailed(f"job {self.name}: {what}" + (f"; the ranks' output:\n{output}" if output else ""))
