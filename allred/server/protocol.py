"""What a server and a client say to each other over their link.

A client sends a *request*: a header and, where there is one, a payload, as one message each. The server handles a
client's requests in order, and answers each with a *reply* of the same form; only LEAVE is not answered. While a
request has to wait for other workers, the server sends WAIT now and then, so that a client can tell a slow worker from
a server that is gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from allred._core import MessageWork
from allred.communicator import Communicator
from allred.server.arrays import Array

_FIELDS = 3


class Kind(IntEnum):
    """Of a message."""

    # requests
    PUSH = 1  # payload: the gradients of the shard
    PULL = 2
    STATUS = 3
    SAVE = 4  # payload: folder and token, as JSON
    RETIRE = 5  # the worker pushes no more, though it may still ask
    LEAVE = 6
    # replies
    WAIT = 7  # the request has to wait for other workers
    DONE = 8  # value: the shard's step; payload: what was asked for
    REFUSED = 9  # payload: why this request could not be carried out
    FAILED = 10  # payload: why the shard is of no use any more


@dataclass(frozen=True)
class Header:
    """What comes before a payload, and how long that is."""

    kind: Kind
    value: int = 0
    bytes: int = 0


class Channel:
    """One end of a link. Used by one thread at a time; waits at most `timeout` seconds.

    Args:
        link: a communicator of two ranks.
        peer: the other's rank in it.
        timeout: in seconds.
    """

    def __init__(self, link: Communicator, peer: int, timeout: float) -> None:
        self.link = link
        self.timeout = timeout
        self._peer = peer

    def send(self, kind: Kind, value: int = 0, payload: Array | None = None) -> None:
        """Blocks until a header and its payload are sent."""
        for message in _messages(kind, value, payload):
            self.link.send(message, self._peer, timeout=self.timeout)

    def start_send(self, kind: Kind, value: int = 0, payload: Array | None = None) -> list[MessageWork]:
        """Starts to send a header and its payload, which must not be touched until the works are done."""
        messages = _messages(kind, value, payload)
        return [self.link.send(each, self._peer, async_op=True, timeout=self.timeout) for each in messages]

    def recv(self, timeout: float | None = None) -> Header:
        """Blocks until a header is there, at most `timeout` seconds, by default the channel's."""
        fields = np.zeros(_FIELDS, np.int64)
        self.link.recv(fields, self._peer, timeout=self.timeout if timeout is None else timeout)
        return header_of(fields)

    def start_recv(self) -> tuple[MessageWork, Array]:
        """Starts to receive a header, to be read by :func:`header_of` when the work is done."""
        fields = np.zeros(_FIELDS, np.int64)
        return self.link.recv(fields, self._peer, async_op=True, timeout=self.timeout), fields

    def recv_payload(self, payload: Array) -> None:
        """Blocks until the payload of the last header is there."""
        if payload.nbytes:
            self.link.recv(payload, self._peer, timeout=self.timeout)

    def recv_bytes(self, header: Header) -> bytes:
        """The payload of a header, as bytes."""
        payload = np.zeros(header.bytes, np.uint8)
        self.recv_payload(payload)
        return payload.tobytes()


def header_of(fields: Array) -> Header:
    """The header that these numbers are."""
    kind, value, num_bytes = map(int, fields)
    return Header(Kind(kind), value, num_bytes)


def _messages(kind: Kind, value: int, payload: Array | None) -> list[Array]:
    num_bytes = 0 if payload is None else payload.nbytes
    header = np.array([kind, value, num_bytes], np.int64)
    return [header] if payload is None or num_bytes == 0 else [header, payload]


def payload_of(text: str) -> Array:
    """A text as a payload."""
    return np.frombuffer(text.encode(), np.uint8)
