"""The thread with which a server serves one client."""

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path

import numpy as np

from allred._core import MessageWork
from allred.communicator import Communicator
from allred.errors import Error, PeerLostError, TimeoutError
from allred.server import checkpoint
from allred.server.links import CLIENT, SERVER
from allred.server.modes import Mode
from allred.server.protocol import Channel, Header, Kind, payload_of
from allred.server.shard import ShardFailedError

# Seconds that a client that does not push may be silent: what ends such a wait is the client's end, or close().
_UNLIMITED = 366 * 24 * 3600.0

logger = logging.getLogger("allred.server")


class Session:
    """Serves a client until it leaves or is lost. The thread ends with the link.

    Args:
        client: its rank.
        link: this server's end; the session closes it.
        mode: when pushes are applied.
        shard_idx: which of the shards this is.
        timeout: seconds that a worker may be silent.
    """

    def __init__(self, client: int, link: Communicator, mode: Mode, shard_idx: int, timeout: float) -> None:
        self.client = client
        self.link = link
        self._mode = mode
        self._shard_idx = shard_idx
        self._channel = Channel(link, CLIENT, timeout)
        self._is_worker = client in mode.members.live
        self._gradient = np.empty(mode.shard.layout.bytes if self._is_worker else 0, np.uint8)
        self._reassurance: list[MessageWork] = []
        self._thread = threading.Thread(target=self._run, name=f"allred-server-of-rank-{client}", daemon=True)

    def start(self) -> None:
        """Begins to serve."""
        self._thread.start()

    def join(self) -> None:
        """Blocks until the thread has ended: at once, when the link is closed."""
        self._thread.join()

    def _run(self) -> None:
        members = self._mode.members
        try:
            while (header := self._next_request()).kind != Kind.LEAVE:
                self._serve(header)
            members.leave(self.client)
        except Exception as error:
            reason = self._reason(error)
            members.lose(self.client, reason)
            if self._is_worker and not self._is_closed(error):
                logger.warning("worker rank %d was lost: %s; the others go on", self.client, reason)
        finally:
            self.link.close()

    def _next_request(self) -> Header:
        return self._channel.recv(self._channel.timeout if self._is_worker else _UNLIMITED)

    def _serve(self, header: Header) -> None:
        handle = {
            Kind.PUSH: self._push,
            Kind.PULL: self._pull,
            Kind.STATUS: self._status,
            Kind.SAVE: self._save,
            Kind.RETIRE: self._retire,
        }
        try:
            handle[header.kind](header)
        except ShardFailedError as error:
            self._channel.send(Kind.FAILED, payload=payload_of(str(error)))

    def _push(self, header: Header) -> None:
        self._channel.recv_payload(self._gradient)
        self._mode.push(self.client, self._gradient, self._reassure)
        self._channel.send(Kind.DONE, self._mode.shard.step)

    def _pull(self, header: Header) -> None:
        self._mode.await_turn(self.client, self._reassure)
        with self._mode.shard.reading() as (values, step):
            self._channel.send(Kind.DONE, step, values)

    def _save(self, header: Header) -> None:
        request = json.loads(self._channel.recv_bytes(header))
        shard = self._mode.shard
        try:
            contents = shard.snapshot()
            folder, token = Path(request["folder"]), request["token"]
            name = checkpoint.write_shard(folder, self._shard_idx, token, shard.layout, contents)
        except (OSError, ValueError) as error:
            self._channel.send(Kind.REFUSED, payload=payload_of(f"{type(error).__name__}: {error}"))
            return
        self._channel.send(Kind.DONE, contents.step, payload_of(name))

    def _retire(self, header: Header) -> None:
        self._is_worker = False
        self._mode.members.retire(self.client)
        self._channel.send(Kind.DONE, self._mode.shard.step)

    def _status(self, header: Header) -> None:
        members = self._mode.members
        facts = {"live": sorted(members.live), "left": sorted(members.left), "lost": sorted(members.lost.items())}
        self._channel.send(Kind.DONE, self._mode.shard.step, payload_of(json.dumps(facts)))

    def _reassure(self) -> None:
        """Sends WAIT, unless the client has yet to read so many that there is no room for one more."""
        if all(work.done() for work in self._reassurance):
            self._reassurance = self._channel.start_send(Kind.WAIT)

    def _reason(self, error: Exception) -> str:
        if isinstance(error, TimeoutError):
            return f"silent for more than {self._channel.timeout:g} s"
        if isinstance(error, PeerLostError):
            return f"its process (host {error.host}, pid {error.pid}) ended, or closed its link, without leave"
        if isinstance(error, Error):
            return str(error).rpartition("abort: ")[2]
        return f"the server could not go on with it: {type(error).__name__}: {error}"

    def _is_closed(self, error: Exception) -> bool:
        """Whether it was this server that ended the link."""
        return isinstance(error, Error) and error.rank in (None, SERVER) and not isinstance(error, TimeoutError)
