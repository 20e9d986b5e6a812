"""How ranks that a launcher started find each other. The only importer of mpi4py, inside the function that needs it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Protocol

from allred import _core
from allred.errors import TimeoutError, UnsupportedError
from allred.launcher import Launcher, restart_count


class Store(Protocol):
    """What a c10d store offers of which start-up makes use."""

    def set(self, key: str, value: Any, /) -> None:
        """Sets a key."""

    def get(self, key: str, /) -> bytes:
        """Waits for a key and returns its value."""

    def wait(self, keys: list[str], timeout: timedelta, /) -> None:
        """Waits until all keys are set."""


class AloneBootstrap(_core.Bootstrap):
    """A single rank."""

    def rank(self) -> int:
        """Always 0."""
        return 0

    def size(self) -> int:
        """Always 1."""
        return 1

    def all_gather(self, blob: bytes) -> list[bytes]:
        """Returns its own blob."""
        return [blob]


class MpiBootstrap(_core.Bootstrap):
    """Carries start-up blobs by MPI. All ranks of the MPI communicator take part."""

    def __init__(self, comm: Any) -> None:
        super().__init__()
        self._comm = comm

    def rank(self) -> int:
        """The rank in the MPI communicator."""
        return int(self._comm.Get_rank())

    def size(self) -> int:
        """The size of the MPI communicator."""
        return int(self._comm.Get_size())

    def all_gather(self, blob: bytes) -> list[bytes]:
        """One ``MPI_Allgather`` of pickled blobs."""
        return list(self._comm.allgather(blob))


class StoreBootstrap(_core.Bootstrap):
    """Carries start-up blobs by a c10d store, with two keys a rank: its own, and one from which it reads all.

    Rank 0 collects the blobs and publishes them together, so that the store is asked size times and not size squared.
    The store may be older than the ranks: torchrun keeps it when it starts them anew, and with it their keys.
    """

    def __init__(self, store: Store, rank: int, size: int, timeout: float) -> None:
        super().__init__()
        self._store = store
        self._rank = rank
        self._size = size
        self._timeout = timedelta(seconds=timeout)
        self._exchanges = 0
        self._life = restart_count()

    def rank(self) -> int:
        """The rank given."""
        return self._rank

    def size(self) -> int:
        """The size given."""
        return self._size

    def all_gather(self, blob: bytes) -> list[bytes]:
        """Exchanges through the store; raises TimeoutError that names the ranks that did not come."""
        self._exchanges += 1
        prefix = f"allred/{self._life}/{self._exchanges}"
        own = [f"{prefix}/{rank}" for rank in range(self._size)]
        if self._rank == 0:
            blobs = [blob, *self._get(own[1:], list(range(1, self._size)))]
            self._store.set(f"{prefix}/all", _join(blobs))
            return blobs
        self._store.set(own[self._rank], blob)
        return _split(*self._get([f"{prefix}/all"], [0]))

    def _get(self, keys: list[str], ranks: list[int]) -> list[bytes]:
        """The values of keys that `ranks` set, once they have."""
        if not keys:
            return []
        try:
            if getattr(self._store, "timeout", None) != self._timeout:  # else get waits as long: one request less
                self._store.wait(keys, self._timeout)
            return [self._store.get(key) for key in keys]
        except RuntimeError as error:  # what c10d stores raise at their timeouts
            missing = [rank for key, rank in zip(keys, ranks, strict=True) if not self._has(key)]
            raise TimeoutError(
                f"start-up timed out after {self._timeout.total_seconds():g} s: rank {self._rank} waited for "
                f"ranks {', '.join(map(str, missing))} at the store",
                rank=missing[0] if missing else None,
            ) from error

    def _has(self, key: str) -> bool:
        try:
            self._store.wait([key], timedelta(milliseconds=1))
        except RuntimeError:
            return False
        return True


class PeerBootstrap(_core.Bootstrap):
    """Carries start-up blobs by messages between ranks of a communicator: for another one among some or all of them.

    Only those that it names take part. The first of them collects the blobs and sends them on together.
    """

    TAG = 1 << 20  # far from those that a program is likely to count up from 0

    def __init__(self, communicator: _core.Communicator, ranks: Sequence[int]) -> None:
        super().__init__()
        self._communicator = communicator
        self._ranks = ranks

    def rank(self) -> int:
        """This rank's place among those named."""
        return self._ranks.index(self._communicator.rank)

    def size(self) -> int:
        """How many are named."""
        return len(self._ranks)

    def all_gather(self, blob: bytes) -> list[bytes]:
        """Exchanges by way of the first rank; raises what its messages raise."""
        first, *others = self._ranks
        if self.rank() == 0:
            blobs = [blob, *map(self._receive, others)]
            for rank in others:
                self._send(_join(blobs), rank)
            return blobs
        self._send(blob, first)
        return _split(self._receive(first))

    def _send(self, blob: bytes, rank: int) -> None:
        for part in (bytearray(len(blob).to_bytes(8, "little")), bytearray(blob)):
            self._communicator.send(part, rank, self.TAG)

    def _receive(self, rank: int) -> bytes:
        length = bytearray(8)
        self._communicator.recv(length, rank, self.TAG)
        blob = bytearray(int.from_bytes(length, "little"))
        self._communicator.recv(blob, rank, self.TAG)
        return bytes(blob)


def _join(blobs: list[bytes]) -> bytes:
    lengths = ",".join(str(len(blob)) for blob in blobs).encode()
    return lengths + b";" + b"".join(blobs)


def _split(joined: bytes) -> list[bytes]:
    lengths, _, rest = joined.partition(b";")
    blobs = []
    for length in map(int, lengths.split(b",")):
        blobs.append(rest[:length])
        rest = rest[length:]
    return blobs


def mpi_world() -> Any:
    """mpi4py's ``COMM_WORLD``; starts MPI where the program has not.

    Raises:
        UnsupportedError: mpi4py is not installed.
    """
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise UnsupportedError(
            "this process was started by an MPI launcher, and mpi4py, which carries the start-up bytes, "
            f"cannot be imported ({error}); install it: pip install mpi4py"
        ) from error
    return MPI.COMM_WORLD


def from_launcher(launcher: Launcher, timeout: float) -> _core.Bootstrap:
    """The bootstrap that goes with the launcher.

    Raises:
        UnsupportedError: MPI knows of another number of processes than the launcher says, or torchrun started this
            process and torch is not installed.
    """
    if launcher.name == "torchrun":
        return StoreBootstrap(_torchrun_store(timeout), launcher.rank, launcher.size, timeout)
    if not launcher.is_mpi:
        return AloneBootstrap()
    world = mpi_world()
    if world.Get_size() != launcher.size:
        raise UnsupportedError(
            f"the launcher ({launcher.name}) started {launcher.size} processes, but mpi4py sees {world.Get_size()}: "
            "it is built for, or has loaded, the MPI library of another launcher"
        )
    return MpiBootstrap(world)


def _torchrun_store(timeout: float) -> Store:
    try:
        from torch.distributed import PrefixStore
        from torch.distributed.rendezvous import rendezvous
    except ImportError as error:
        raise UnsupportedError(f"torchrun started this process, and torch cannot be imported: {error}") from error
    store, _, _ = next(rendezvous("env://", timeout=timedelta(seconds=timeout)))
    prefixed: Store = PrefixStore("allred", store)
    return prefixed
