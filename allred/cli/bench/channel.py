"""Commands and answers between the conductor and the ranks: JSON objects over a unix socket."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
from collections.abc import Iterable
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, TypeVar

Message = dict[str, Any]

# At this signal a rank prints where each of its threads is.
TRACE_SIGNAL = signal.SIGUSR1
SECONDS_TO_DIE = 5.0  # of which a killed process needs little, unless it waits for a device

_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid


class ChannelClosed(Exception):  # noqa: N818 - an orderly end is one, too
    """The process at the other end closed the channel, or is gone."""


class Channel:
    """One end of a connection. Not thread-safe; receive() blocks, without use of a core."""

    def __init__(self, connected: socket.socket) -> None:
        self._connection = Connection(connected.detach())

    def fileno(self) -> int:
        """For :func:`multiprocessing.connection.wait`."""
        return self._connection.fileno()

    def send(self, message: Message) -> None:
        """Raises ChannelClosed."""
        try:
            self._connection.send_bytes(json.dumps(message).encode())
        except OSError as error:
            raise ChannelClosed from error

    def receive(self) -> Message:
        """The next message. Raises ChannelClosed."""
        try:
            message: Message = json.loads(self._connection.recv_bytes())
        except (EOFError, OSError) as error:
            raise ChannelClosed from error
        return message

    def close(self) -> None:
        """The other end sees it. May be called again."""
        self._connection.close()


def connect(path: str) -> Channel:
    """A rank's end of a connection to the conductor that listens there."""
    connecting = socket.socket(socket.AF_UNIX)
    connecting.connect(path)
    return Channel(connecting)


class RankChannel(Channel):
    """The conductor's end of a connection to a rank, which it can also signal. Owns a pidfd until close()."""

    def __init__(self, connected: socket.socket) -> None:
        credentials = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        super().__init__(connected)
        self._process: int | None = None
        # By its number a process that has ended might be taken for another. Where it has ended already, or the kernel
        # has no pidfds, it is left to whoever started it.
        with suppress(OSError):
            self._process = os.pidfd_open(_CREDENTIALS.unpack(credentials)[0])

    def signal(self, number: signal.Signals) -> None:
        """Does nothing where the process has ended."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._process, number)

    def kill(self) -> None:
        """Ends the process, and waits until it has ended."""
        self.signal(signal.SIGKILL)
        if self._process is not None:
            wait([self._process], SECONDS_TO_DIE)

    def close(self) -> None:
        """As of any channel."""
        super().close()
        if self._process is not None:
            os.close(self._process)
            self._process = None


class Listener:
    """Where ranks connect: a unix socket in a folder that only its user can enter. Owns the socket."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(self.path)
        self._socket.listen(socket.SOMAXCONN)

    def fileno(self) -> int:
        """For :func:`multiprocessing.connection.wait`."""
        return self._socket.fileno()

    def accept(self) -> RankChannel:
        """The next rank that connects. Blocks until one does."""
        return RankChannel(self._socket.accept()[0])

    def close(self) -> None:
        """May be called again."""
        self._socket.close()


Source = TypeVar("Source", RankChannel, "RankChannel | Listener")


def heard(sources: Iterable[Source], seconds: float) -> list[Source]:
    """Those from which something can be received or accepted. Blocks until there is one, so long at most."""
    numbered = {source.fileno(): source for source in sources}
    ready = wait(list(numbered), max(0.0, seconds))
    return [source for number, source in numbered.items() if number in ready]
