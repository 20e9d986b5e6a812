"""A rank's part as a server: its shard, and a session for each client."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from allred.communicator import Communicator
from allred.server.members import Members
from allred.server.modes import Mode
from allred.server.session import Session


class Host:
    """Serves until it is closed. Thread-safe.

    Args:
        links: this server's ends of the links, by the clients' ranks.
        mode: with the shard and its members.
        shard_idx: which of the shards it is.
        timeout: seconds that a worker may be silent.
    """

    def __init__(self, links: Mapping[int, Communicator], mode: Mode, shard_idx: int, timeout: float) -> None:
        self._members: Members = mode.members
        self._timeout = timeout
        self._sessions = [Session(client, link, mode, shard_idx, timeout) for client, link in links.items()]
        for session in self._sessions:
            session.start()

    def wait(self) -> None:
        """Blocks until no worker is left: one that is silent for too long is lost."""
        self._wait_while(lambda: bool(self._members.live))

    def close(self) -> None:
        """Blocks until no client is left, those that are no workers for at most the timeout; ends all threads."""
        self.wait()
        deadline = time.monotonic() + self._timeout
        self._wait_while(lambda: bool(self._members.connected) and time.monotonic() < deadline)
        for session in self._sessions:
            session.link.close()
        self._join()

    def abort(self, reason: str) -> None:
        """Ends all at once; the clients get to hear the reason."""
        for session in self._sessions:
            session.link.abort(reason)
            session.link.close()
        self._join()

    def _wait_while(self, holds: Callable[[], bool]) -> None:
        with self._members.changed:
            while holds():
                self._members.changed.wait(1.0)

    def _join(self) -> None:
        for session in self._sessions:
            session.join()
