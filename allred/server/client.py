"""A rank's end towards all servers: what it asks of them, and what it makes of their answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from allred._core import MessageWork
from allred.communicator import Communicator
from allred.errors import AbortedError, Error, PeerLostError, SystemCallError, TimeoutError
from allred.server.arrays import Array
from allred.server.division import ShardLayout
from allred.server.links import CLIENT, SERVER
from allred.server.protocol import Channel, Header, Kind, header_of, payload_of


@dataclass(frozen=True)
class _Server:
    rank: int
    channel: Channel
    layout: ShardLayout


class Client:
    """Used by one thread at a time. After an error of a server all calls raise that error.

    A push is over when the servers have the gradients; their answer is read before the next request. So a worker goes
    on to compute while its push is applied.

    Args:
        rank: this rank.
        links: this rank's ends of the links, by the servers' ranks, in the order of the shards.
        layouts: what each of them holds.
        timeout: seconds that a server may take to answer.
    """

    def __init__(
        self, rank: int, links: Mapping[int, Communicator], layouts: list[ShardLayout], timeout: float
    ) -> None:
        self._rank = rank
        self._servers = [
            _Server(server, Channel(link, SERVER, timeout), layout)
            for (server, link), layout in zip(links.items(), layouts, strict=True)
        ]
        self._is_push_open = False
        self._failure: Error | None = None

    def push(self, flat: Mapping[str, Array]) -> None:
        """Sends each server the gradients of its shard."""
        with self._asking("push"):
            self._finish_push()
            sends: list[tuple[_Server, list[MessageWork]]] = []
            for server in self._servers:
                packed = server.layout.pack(flat)
                with self._naming(server, "push"):
                    if len(self._servers) == 1:
                        server.channel.send(Kind.PUSH, payload=packed)
                    else:
                        sends.append((server, server.channel.start_send(Kind.PUSH, payload=packed)))
            for server, works in sends:
                with self._naming(server, "push"):
                    for work in works:
                        work.wait()
            self._is_push_open = True

    def pull(self, flat: Mapping[str, Array]) -> int:
        """Fills the arrays with the servers' values; returns the smallest step of which they are."""
        with self._asking("pull"):
            steps = []
            for server, header in self._ask(Kind.PULL):
                landed = server.layout.landing(flat)
                with self._naming(server, "pull"):
                    server.channel.recv_payload(landed)
                server.layout.unpack(landed, flat)
                steps.append(header.value)
            return min(steps)

    def save(self, folder: str, token: str) -> list[str]:
        """Has each server write its shard; returns the files' names."""
        request = json.dumps({"folder": folder, "token": token})
        with self._asking("save"):
            return [text for _, _, text in self._ask_for_text(Kind.SAVE, request)]

    def status(self) -> list[tuple[int, dict[str, Any]]]:
        """The step and the members of each server."""
        with self._asking("status"):
            return [(header.value, json.loads(text)) for _, header, text in self._ask_for_text(Kind.STATUS)]

    def retire(self) -> None:
        """Tells the servers that this worker pushes no more."""
        with self._asking("wait"):
            self._finish_push()  # on all servers, before one of them takes this worker to be done
            for _ in self._ask(Kind.RETIRE):
                pass

    def leave(self) -> None:
        """Hears the answers to the last push, and takes leave of the servers."""
        if self._failure is None:
            with self._asking("close"):
                self._finish_push()
                for server in self._servers:
                    with self._naming(server, "close"):
                        server.channel.send(Kind.LEAVE)

    def _ask_for_text(self, kind: Kind, request: str = "") -> list[tuple[_Server, Header, str]]:
        answers, refusals = [], []
        for server, header in self._ask(kind, payload_of(request)):
            with self._naming(server, kind.name.lower()):
                text = server.channel.recv_bytes(header).decode()
            answers.append((server, header, text))
            if header.kind == Kind.REFUSED:
                refusals.append((server, text))
        for server, text in refusals:  # raised when all have answered, so that all go on in step
            raise SystemCallError(f"server rank {server.rank} could not {kind.name.lower()}: {text}", rank=server.rank)
        return answers

    def _ask(self, kind: Kind, payload: Array | None = None) -> Iterator[tuple[_Server, Header]]:
        """Asks all servers at once, and yields their answers one after the other, their payloads yet to be read."""
        for server in self._servers:
            with self._naming(server, kind.name.lower()):
                server.channel.send(kind, payload=payload)
        self._finish_push()
        yield from self._answers(kind.name.lower())

    def _finish_push(self) -> None:
        if self._is_push_open:
            self._is_push_open = False
            for _ in self._answers("push"):
                pass

    def _answers(self, operation: str) -> Iterator[tuple[_Server, Header]]:
        """One answer of each server, all of which are listened to: one that is gone is noticed while others wait."""
        if len(self._servers) == 1:
            (server,) = self._servers
            with self._naming(server, operation):
                while (header := server.channel.recv()).kind == Kind.WAIT:
                    pass
                self._throw_if_failed(server, header)
            yield server, header
            return
        listening = []
        for server in self._servers:
            with self._naming(server, operation):
                listening.append(server.channel.start_recv())
        for idx, server in enumerate(self._servers):
            while (header := self._hear(server, *listening[idx], operation)).kind == Kind.WAIT:
                self._throw_if_any_is_lost(listening, operation)
                with self._naming(server, operation):
                    listening[idx] = server.channel.start_recv()
            with self._naming(server, operation):
                self._throw_if_failed(server, header)
            yield server, header

    def _hear(self, server: _Server, work: MessageWork, fields: Array, operation: str) -> Header:
        with self._naming(server, operation):
            work.wait()
        return header_of(fields)

    def _throw_if_any_is_lost(self, listening: list[tuple[MessageWork, Array]], operation: str) -> None:
        for server, (work, _) in zip(self._servers, listening, strict=True):
            if work.done() and work.error() is not None:
                with self._naming(server, operation):
                    work.wait()

    def _throw_if_failed(self, server: _Server, header: Header) -> None:
        if header.kind == Kind.FAILED:
            text = server.channel.recv_bytes(header).decode()
            self._failure = Error(f"server rank {server.rank} has failed: {text}", rank=server.rank)
            raise self._failure

    @contextmanager
    def _asking(self, operation: str) -> Iterator[None]:
        if self._failure is not None:
            failed = self._failure
            raise type(failed)(
                str(failed), rank=failed.rank, host=failed.host, pid=failed.pid, operation=operation
            ) from failed
        try:
            yield
        except SystemCallError:
            raise
        except BaseException as error:
            # Interrupted in the middle, the client no longer knows which answers are still to come.
            if self._failure is None:
                self._failure = AbortedError(
                    f"the parameter server cannot be used any more by rank {self._rank}: "
                    f"{operation} was ended by {type(error).__name__}"
                )
            raise

    @contextmanager
    def _naming(self, server: _Server, operation: str) -> Iterator[None]:
        """Says of an error of a link which server it concerns; the link knows it as its rank 0."""
        try:
            yield
        except Error as error:
            if self._failure is not None:
                raise
            self._failure = _error_of(server, self._rank, operation, error)
            raise self._failure from error


def _error_of(server: _Server, rank: int, operation: str, error: Error) -> Error:
    where = f"server rank {server.rank} (host {error.host}, pid {error.pid})"
    fields: dict[str, Any] = {"rank": server.rank, "host": error.host, "pid": error.pid, "operation": operation}
    if isinstance(error, TimeoutError) and error.rank == CLIENT:
        return AbortedError(
            f"server rank {server.rank} has dropped rank {rank}, which was silent for more than "
            f"{server.channel.timeout:g} s; noticed during {operation}",
            rank=rank,
            operation=operation,
        )
    if isinstance(error, TimeoutError):
        return TimeoutError(
            f"{where} was lost: it did not answer within {server.channel.timeout:g} s during {operation}", **fields
        )
    if isinstance(error, AbortedError) and error.rank == SERVER:
        return AbortedError(f"{where} has ended: {str(error).rpartition('abort: ')[2]}; during {operation}", **fields)
    if isinstance(error, PeerLostError):
        return PeerLostError(f"{where} was lost: it died or closed its link, noticed during {operation}", **fields)
    return type(error)(f"server rank {server.rank}: {error}", rank=server.rank, operation=operation)
