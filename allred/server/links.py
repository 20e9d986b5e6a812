"""A link of its own between each server and each rank: what happens to one of them concerns no other.

A communicator ends as a whole when one of its ranks is lost. So each pair gets a communicator of two ranks, of which
the server is rank 0 and its client rank 1; the start-up bytes travel as messages of the communicator to which all
belong.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

import numpy as np

from allred import _core
from allred.communicator import Communicator
from allred.config import Config
from allred.server.arrays import Array

SERVER, CLIENT = 0, 1  # the ranks of a link
TAG = 0x5053  # of the messages at start-up


@dataclass
class Links:
    """This rank's ends: as a server of its clients, and as a client of the servers, each by the other's rank."""

    clients: dict[int, Communicator]
    servers: dict[int, Communicator]

    def close(self) -> None:
        """Takes leave of all."""
        for link in (*self.servers.values(), *self.clients.values()):
            link.close()


class PairBootstrap(_core.Bootstrap):
    """Carries the blobs of two ranks by messages of a communicator to which both belong."""

    def __init__(self, comm: Communicator, peer: int, rank: int) -> None:
        super().__init__()
        self._comm = comm
        self._peer = peer
        self._rank = rank

    def rank(self) -> int:
        """The rank in the pair."""
        return self._rank

    def size(self) -> int:
        """Always 2."""
        return 2

    def all_gather(self, blob: bytes) -> list[bytes]:
        """One message with the length and one with the bytes, in each direction."""
        length = np.zeros(1, np.int64)
        self._swap(np.array([len(blob)], np.int64), length)
        theirs = np.zeros(int(length[0]), np.uint8)
        self._swap(np.frombuffer(blob, np.uint8), theirs)
        blobs = [blob, blob]
        blobs[1 - self._rank] = theirs.tobytes()
        return blobs

    def _swap(self, own: Array, theirs: Array) -> None:
        sent = self._comm.send(own, self._peer, TAG, async_op=True)
        self._comm.recv(theirs, self._peer, TAG)
        sent.wait()


def connect(comm: Communicator, servers: list[int]) -> Links:
    """Makes the links of this rank. Collective over the ranks of `comm`; blocks until all are there.

    The timeout is that of `comm`: a server may be given one that is too short for a start.
    """
    client_config = replace(comm.config, tuning="off")
    # A server has a thread that waits for each client. They must not spin: there may be more of them than cores.
    server_config = replace(client_config, wait="sleep") if comm.config.wait == "auto" else client_config
    links = Links({}, {})
    # Each rank makes its links in the one order of all links, so the first that is not there is made next.
    for server in servers:
        for client in range(comm.size):
            if comm.rank == server == client:
                links.clients[client], links.servers[server] = _connect_to_itself(server_config, client_config)
            elif comm.rank == server:
                bootstrap = PairBootstrap(comm, client, SERVER)
                links.clients[client] = Communicator(bootstrap, server_config)
            elif comm.rank == client:
                bootstrap = PairBootstrap(comm, server, CLIENT)
                links.servers[server] = Communicator(bootstrap, client_config)
    return links


def _connect_to_itself(server_config: Config, client_config: Config) -> tuple[Communicator, Communicator]:
    """Both ends of the link of a server that is its own client."""
    rendezvous = _core.InProcessRendezvous(2, client_config.timeout)
    ends: list[Communicator] = []
    failures: list[BaseException] = []

    def connect_client() -> None:
        try:
            ends.append(Communicator(_core.InProcessBootstrap(rendezvous, CLIENT), client_config))
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=connect_client, name="allred-server-link", daemon=True)
    thread.start()
    server = Communicator(_core.InProcessBootstrap(rendezvous, SERVER), server_config)
    thread.join()
    if failures:
        raise failures[0]
    return server, ends[0]
