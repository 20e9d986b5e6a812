"""What a program sees of a parameter server."""

from __future__ import annotations

import atexit
import os
import weakref
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, overload

import numpy as np

from allred.communicator import Communicator
from allred.errors import InvalidArgumentError, SystemCallError
from allred.server import checkpoint
from allred.server.agreement import agree
from allred.server.arrays import ArrayLike, Parameter, flatten, flatten_writable, parameters_of
from allred.server.client import Client
from allred.server.division import ShardLayout, divide
from allred.server.host import Host
from allred.server.links import Links, connect
from allred.server.members import Members
from allred.server.modes import make_mode
from allred.server.optimizers import Optimizer
from allred.server.settings import Settings, check_settings
from allred.server.shard import Contents, Shard
from allred.server.start import description_of, hand_out, refusing
from allred.server.status import Status, merge
from allred.server.work import CallQueue, ServerWork

_MAX_PERIOD = 1.0  # seconds at most between two signs of life of a server whose client waits for other workers

_open_servers: weakref.WeakSet[ParameterServer] = weakref.WeakSet()


class ParameterServer:
    """Keeps a model's parameters on some ranks, updates them by what others push, and hands them out.

    Collective over the ranks of `comm`, at the start only: from then on each rank calls what it likes, when it likes,
    and a rank that is lost concerns no other than by what is said below. As a context manager, closed at the end of the
    block, and aborted where that raises. Thread-safe; the calls of a rank are carried out one at a time.

    Args:
        comm: whose ranks take part. It is used at the start only, its messages with tag 20563 (0x5053).
        parameters: a numpy array or CPU tensor for each name, of dtype float64, float32 or float16, with the same
            names, dtypes and shapes on all ranks. The first server's values are the ones to begin with: pull them
            before the first step.
        servers: the ranks that hold the parameters, divided among them by bytes.
        workers: the ranks that push; servers may be among them. By default all ranks that are no servers, or all where
            there are no others.
        optimizer: what a server does with a gradient: ``allred.server.SGD``, ``Adam``, ``AdamW``, or a function as
            described by ``allred.server.Optimizer``. Only the servers' own are used.
        mode: ``"asynchronous"``: each push is applied at once. ``"synchronous"``: a step is applied when all workers
            that are still there have pushed, with the mean of their gradients. ``"bounded"``: each push is applied at
            once, and a worker more than `staleness` pushes ahead of the slowest waits in its pull.
        staleness: in the mode ``"bounded"``.
        timeout: seconds that a server may take to answer, and that a worker may go without a call before it counts
            as lost; by default ``comm.config.timeout``.

    Raises:
        InvalidArgumentError: an argument is wrong; the other ranks get a MismatchError.
        MismatchError: on all ranks: the ranks do not mean the same.
        TimeoutError: not all ranks came within ``comm.config.timeout``.
    """

    def __init__(
        self,
        comm: Communicator,
        parameters: Mapping[str, ArrayLike],
        *,
        optimizer: Optimizer,
        servers: Iterable[int] = (0,),
        workers: Iterable[int] | None = None,
        mode: str = "asynchronous",
        staleness: int = 4,
        timeout: float | None = None,
    ) -> None:
        def check() -> tuple[Settings, list[Parameter]]:
            settings = check_settings(
                comm,
                servers=servers,
                workers=workers,
                optimizer=optimizer,
                mode=mode,
                staleness=staleness,
                timeout=timeout,
            )
            return settings, parameters_of(parameters)

        settings, known = refusing(comm, check)
        agree(comm, description_of(settings, known))
        layouts = divide(known, len(settings.servers))
        flat = flatten("parameters", parameters, known) if comm.rank == settings.servers[0] else {}
        self._start(comm, settings, known, layouts, hand_out(comm, settings, layouts, flat))

    @classmethod
    def restore(
        cls,
        path: str | os.PathLike[str],
        comm: Communicator,
        *,
        optimizer: Optimizer,
        servers: Iterable[int] = (0,),
        workers: Iterable[int] | None = None,
        mode: str = "asynchronous",
        staleness: int = 4,
        timeout: float | None = None,
    ) -> ParameterServer:
        """A parameter server that goes on where :meth:`save` left off, with as many servers as it is told.

        Collective over the ranks of `comm`. The arguments are as for the class; values, the optimizer's state and the
        number of steps are the checkpoint's.

        Args:
            path: the checkpoint's folder, seen by all ranks.
            comm: see the class.
            optimizer: see the class; the settings of an optimizer are no part of a checkpoint.
            servers: see the class.
            workers: see the class.
            mode: see the class.
            staleness: see the class.
            timeout: see the class.

        Raises:
            InvalidArgumentError: as for the class, and where there is no checkpoint or not a whole one.
            MismatchError: as for the class.
            TimeoutError: as for the class.
        """

        def check() -> tuple[Settings, list[Parameter], list[ShardLayout], Contents | None]:
            settings = check_settings(
                comm,
                servers=servers,
                workers=workers,
                optimizer=optimizer,
                mode=mode,
                staleness=staleness,
                timeout=timeout,
            )
            saved = checkpoint.Checkpoint(path)
            layouts = divide(saved.parameters, len(settings.servers))
            is_server = comm.rank in settings.servers
            contents = saved.read(layouts[settings.servers.index(comm.rank)]) if is_server else None
            return settings, saved.parameters, layouts, contents

        settings, known, layouts, contents = refusing(comm, check)
        agree(comm, description_of(settings, known))
        restored = cls.__new__(cls)
        restored._start(comm, settings, known, layouts, contents)
        return restored

    def _start(
        self,
        comm: Communicator,
        settings: Settings,
        parameters: list[Parameter],
        layouts: list[ShardLayout],
        contents: Contents | None,
    ) -> None:
        self.rank = comm.rank
        self.servers = settings.servers
        self.workers = settings.workers
        self._parameters = parameters
        self._calls = CallQueue()
        self._closed = False
        self._is_retired = False
        self._links: Links = connect(comm, settings.servers)
        self._client = Client(comm.rank, self._links.servers, layouts, settings.timeout)
        self._host: Host | None = None
        if contents is not None:
            shard_idx = settings.servers.index(comm.rank)
            others = [rank for rank in range(comm.size) if rank not in settings.workers]
            members = Members(settings.workers, others)
            shard = Shard(layouts[shard_idx], contents, settings.optimizer)
            period = min(settings.timeout / 4, _MAX_PERIOD)
            mode = make_mode(settings.mode, shard, members, period, settings.staleness)
            self._host = Host(self._links.clients, mode, shard_idx, settings.timeout)
        _open_servers.add(self)

    @property
    def is_server(self) -> bool:
        """Whether this rank holds a part of the parameters."""
        return self._host is not None

    @property
    def is_worker(self) -> bool:
        """Whether this rank pushes."""
        return self.rank in self.workers

    @overload
    def push(self, gradients: Mapping[str, ArrayLike], *, async_op: Literal[False] = False) -> None: ...
    @overload
    def push(self, gradients: Mapping[str, ArrayLike], *, async_op: Literal[True]) -> ServerWork: ...
    def push(self, gradients: Mapping[str, ArrayLike], *, async_op: bool = False) -> ServerWork | None:
        """Sends gradients to the servers, one message each; returns when they have them, applied or not yet.

        Where a server's part is of up to ``eager_bytes`` (512 KiB, unless docs/tuning.md is followed; 1 MiB where ranks
        share cores), it may still be on its way. The answer is heard in this rank's next call. In the mode
        ``"synchronous"`` a second push waits for the step of the first.

        Args:
            gradients: an array for each parameter, of its dtype and shape.
            async_op: return a :class:`allred.server.ServerWork` at once; the arrays must not be touched until it is
                done.

        Raises:
            InvalidArgumentError: this rank is no worker, or not any more, or an array is not what it has to be; nothing
                was sent.
            PeerLostError: a server is lost; ``rank`` tells which.
            TimeoutError: a server does not answer.
            AbortedError: a server ended by an error, or dropped this worker.
            Error: the optimizer of a server has raised.
        """
        self._check_open()
        if not self.is_worker:
            raise InvalidArgumentError(f"push: rank {self.rank} is no worker; workers={self.workers}")
        if self._is_retired:
            raise InvalidArgumentError(f"push: rank {self.rank} has called wait(), after which a worker pushes no more")
        flat = flatten("gradients", gradients, self._parameters)
        return self._call("push", lambda: self._client.push(flat), async_op)

    @overload
    def pull(self, into: Mapping[str, ArrayLike], *, async_op: Literal[True]) -> ServerWork: ...
    @overload
    def pull(
        self, into: Mapping[str, ArrayLike] | None = None, *, async_op: Literal[False] = False
    ) -> Mapping[str, ArrayLike]: ...
    def pull(
        self, into: Mapping[str, ArrayLike] | None = None, *, async_op: bool = False
    ) -> Mapping[str, ArrayLike] | ServerWork:
        """The parameters' values, with all that this rank has pushed.

        Args:
            into: what to fill: a writable, C-contiguous array for each parameter, of its dtype and shape. By default
                new numpy arrays.
            async_op: return a :class:`allred.server.ServerWork` at once; the arrays, which must be given, must not be
                touched until it is done.

        Returns:
            `into`, or the new arrays by name.

        Raises:
            InvalidArgumentError: an array is not what it has to be; nothing was asked for.
            Error: as for :meth:`push`.
        """
        self._check_open()
        if into is None:
            if async_op:
                raise InvalidArgumentError("into=None with async_op=True: expected the arrays to fill")
            into = {each.name: np.empty(each.shape, each.dtype) for each in self._parameters}
        flat = flatten_writable("into", into, self._parameters)
        return self._call("pull", lambda: self._client.pull(flat), async_op) or into

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes a checkpoint, with all that this rank has pushed: a file a server, and a list of them.

        Any rank may call it. In the mode ``"synchronous"``, called by a worker, all servers save the same step. The
        folder always holds one whole checkpoint: the one before, until the new one is complete.

        Args:
            path: a folder, which is made if need be, and which all servers see under this name.

        Raises:
            SystemCallError: a file could not be written, or the optimizer's state is nothing that can be; all goes on.
            Error: as for :meth:`push`.
        """
        self._check_open()
        folder = Path(path).absolute()

        def save() -> None:
            names = self._client.save(str(folder), checkpoint.new_token())
            try:
                checkpoint.commit(folder, self._parameters, names)
            except OSError as error:
                raise SystemCallError(f"save: {folder}: {error}", rank=self.rank, operation="save") from error

        self._calls.run(save)

    def status(self) -> Status:
        """How many updates the servers have made, and which workers are there, have left or were lost.

        Raises:
            Error: as for :meth:`push`.
        """
        self._check_open()
        return merge(self.servers, self._calls.run(self._client.status))

    def wait(self) -> None:
        """Ends this rank's part as a worker, if it is one; on a server, blocks until no worker is left.

        So a server can pull or save what was learnt before it closes. A worker may still pull and save; it does not
        count any more, and may be silent for as long as it likes.

        Raises:
            Error: as for :meth:`push`.
        """
        self._check_open()
        if self.is_worker and not self._is_retired:
            self._calls.run(self._client.retire)
            self._is_retired = True
        if self._host is not None:
            self._host.wait()

    def close(self) -> None:
        """Takes leave of the servers; on a server, blocks until the workers have taken leave or are lost. Idempotent.

        A server then waits for the ranks that may still pull or save, but no longer than the timeout.

        Raises:
            Error: as for :meth:`push`: a push that was still to be answered has failed.
        """
        if self._closed:
            return
        self._closed = True
        try:
            self._calls.run(self._client.leave)
        finally:
            self._calls.close()
            for link in self._links.servers.values():
                link.close()
            if self._host is not None:
                self._host.close()

    def abort(self, reason: str = "asked for by the program") -> None:
        """Ends this rank's part at once: workers are lost to the servers, and servers to the workers.

        Args:
            reason: what the others get to hear.
        """
        if self._closed:
            return
        self._closed = True
        for link in self._links.servers.values():
            link.abort(reason)
        if self._host is not None:
            self._host.abort(reason)
        self._links.close()
        self._calls.close()

    def _call(self, operation: str, call: Callable[[], Any], async_op: bool) -> ServerWork | None:
        if async_op:
            return self._calls.start(operation, call)
        self._calls.run(call)
        return None

    def _check_open(self) -> None:
        if self._closed:
            raise InvalidArgumentError(f"the parameter server of rank {self.rank} is closed")

    def __enter__(self) -> ParameterServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self.abort(f"rank {self.rank} raised {type(error).__name__}: {error}")

    def __repr__(self) -> str:
        return f"<allred.ParameterServer rank {self.rank}, servers {self.servers}, workers {self.workers}>"


@atexit.register
def _abort_all() -> None:
    """Ends the sessions' threads while the interpreter is still there for them."""
    for server in list(_open_servers):
        server.abort("its program ended without close()")
