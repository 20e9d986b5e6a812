"""Makes ``"allred"`` a backend of torch.distributed, and adds two ways for processes to find each other.

``import torch`` calls :func:`register`: nothing is imported here that no group needs yet, nor torch at the top, since a
program that imports this module first would find it half-made by then.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from types import ModuleType

    from torch._C._distributed_c10d import Store, _DistributedBackendOptions
    from torch.distributed import ProcessGroup

    from allred import _core
    from allred.acquaintances import Circles
    from allred.communicator import Communicator

    Rendezvous = Iterator[tuple[Store, int, int]]

NAME = "allred"
DEFAULT_TIMEOUT = timedelta(minutes=30)  # as torch.distributed has it for all backends but NCCL


def register() -> None:
    """Registers the backend ``"allred"`` and the init methods ``"allred://"`` and ``"mpi://"``. May be called again."""
    import torch.distributed as dist
    from torch.distributed.rendezvous import register_rendezvous_handler

    if not dist.is_available() or NAME in dist.Backend.backend_list:
        return
    dist.Backend.register_backend(NAME, create_process_group, extended_api=True, devices=["cpu"])
    for scheme, handler in (("allred", rendezvous_by_launcher), ("mpi", rendezvous_by_mpi)):
        register_rendezvous_handler(scheme, handler)


def create_process_group(options: _DistributedBackendOptions, pg_options: Any) -> Any:
    """The backend of one process group, with a communicator of its own. Blocks until all of its ranks are there.

    Args:
        options: what torch knows of the group.
        pg_options: an :class:`allred.Options`, or None.

    Raises:
        ImportError: allred was built for another release of torch, or without torch.
        TypeError: ``pg_options`` are those of another backend.
    """
    native = load_native()
    if pg_options is None:
        pg_options = native.Options()
    elif not isinstance(pg_options, native.Options):
        raise TypeError(f"pg_options must be allred.Options, got {type(pg_options).__name__}")
    pg_options._timeout = options.timeout
    pg_options.group_name = options.group_id
    pg_options.global_ranks_in_group = options.global_ranks_in_group
    return native.ProcessGroupAllred(_first_communicator(options, pg_options), options.store, pg_options, meet_at_store)


def _first_communicator(options: _DistributedBackendOptions, pg_options: Any) -> Communicator:
    """The communicator of a group that torch makes. Its ranks meet at the store, unless they know each other."""
    ranks = options.global_ranks_in_group or range(options.group_size)  # torch leaves out those of the default group
    circles = _circles_around(options)
    reunion = circles.reunion(ranks, options.group_rank, options.group_id) if circles else None
    if reunion:
        return _communicator(reunion, pg_options)
    communicator = meet_at_store(options.store, options.group_rank, options.group_size, pg_options)
    if circles:
        circles.add(ranks, communicator._acquaintances)
    return communicator


def _circles_around(options: _DistributedBackendOptions) -> Circles | None:
    """Who knows whom in the job that the new group belongs to.

    None where its ranks may meet in another order than those of other groups: what torch does not number is made by its
    members alone (``use_local_synchronization``).
    """
    import torch.distributed as dist

    from allred.acquaintances import circles_of

    if not options.group_id.isdigit():
        return None
    device_store: Any = options.store
    group_store = device_store.underlying_store  # torch adds a prefix for the group, and one for the device
    if not options.global_ranks_in_group:
        return circles_of(group_store, options.group_size)
    return circles_of(group_store.underlying_store, dist.get_world_size())


def meet_at_store(store: Store, rank: int, size: int, options: Any) -> Communicator:
    """The communicator of a group whose ranks meet at `store`. Collective over them."""
    from allred.bootstrap import StoreBootstrap

    return _communicator(StoreBootstrap(store, rank, size, options._timeout.total_seconds()), options)


def _communicator(origin: _core.Bootstrap | _core.Reunion, options: Any) -> Communicator:
    from allred.communicator import Communicator
    from allred.config import Config

    config = Config.from_environment(
        timeout=options._timeout.total_seconds(),
        staging_bytes=options.staging_bytes,
        wait=options.wait,
        all_reduce_algorithm=options.all_reduce_algorithm,
        tuning=options.tuning,
    )
    return Communicator(origin, config, f"group {options.group_name}", options.global_ranks_in_group)


def monitored_barrier(
    group: ProcessGroup | None = None, timeout: timedelta | None = None, wait_all_ranks: bool = False
) -> None:
    """A barrier that says which ranks did not come: ``dist.monitored_barrier``, which insists on Gloo, for allred.

    Args:
        group: a process group whose backend for CPU is allred; by default the default group.
        timeout: how long to wait; by default the group's timeout. Zero: not at all.
        wait_all_ranks: rank 0 names all ranks that are missing, and not only the first.

    Raises:
        RuntimeError: not all ranks came in time. On rank 0 it names those that did not.
        ValueError: the group's backend is not allred.
    """
    backend_of(group, "monitored_barrier").monitored_barrier(timeout, wait_all_ranks)


def backend_of(group: ProcessGroup | None, caller: str) -> Any:
    """The backend of the group, by default the default group, for CPU tensors.

    Raises:
        ValueError: it is not allred. The message begins with `caller`.
    """
    import torch
    import torch.distributed as dist

    group = group or dist.group.WORLD
    if group is None:
        raise ValueError(f"{caller}: there is no default group; call init_process_group first")
    backend: Any = group._get_backend(torch.device("cpu"))
    if backend.name() != NAME:
        raise ValueError(f"{caller}: the group's backend for CPU is {backend.name()}, expected {NAME}")
    return backend


def load_native() -> ModuleType:
    """``allred._c10d``, which fits one release of torch only: its C++ classes change with each.

    Raises:
        ImportError: it is not there, or was built for another release.
    """
    import torch

    reinstall = "reinstall it into this environment: pip install --no-build-isolation --force-reinstall allred"
    try:
        native = importlib.import_module("allred._c10d")
    except ImportError as error:
        raise ImportError(f"allred's backend for torch {torch.__version__} does not load; {reinstall}") from error
    if _release(native.torch_version) != _release(torch.__version__):
        raise ImportError(
            f"allred was built for torch {native.torch_version}, and this is torch {torch.__version__}; {reinstall}"
        )
    return native


def _release(version: str) -> list[str]:
    return version.split(".")[:2]


def rendezvous_by_launcher(url: str, timeout: timedelta = DEFAULT_TIMEOUT, **options: Any) -> Rendezvous:
    """``init_method="allred://"``: rank and size come from whatever started this process, which may be nothing."""
    from torch.distributed import HashStore
    from torch.distributed.rendezvous import rendezvous

    from allred import launcher

    found = launcher.detect()
    if found.name == "torchrun":
        yield from rendezvous(url.replace("allred://", "env://", 1), timeout=timeout, **options)
    elif found.is_mpi:
        yield from rendezvous_by_mpi(url, timeout, **options)
    else:
        _check_agrees(url, rank=0, world_size=1)
        yield HashStore(), 0, 1


def rendezvous_by_mpi(url: str, timeout: timedelta = DEFAULT_TIMEOUT, **_: Any) -> Rendezvous:
    """``init_method="mpi://"``: rank and size are those in MPI's COMM_WORLD, and rank 0 serves the store.

    Collective over COMM_WORLD; MPI carries the address of the store and nothing else.
    """
    import socket

    from torch.distributed import TCPStore

    from allred.bootstrap import mpi_world

    world = mpi_world()
    rank, size = world.Get_rank(), world.Get_size()
    _check_agrees(url, rank=rank, world_size=size)
    hosts = world.allgather(socket.gethostname())
    host = "localhost" if len(set(hosts)) == 1 else hosts[0]
    server = TCPStore(host, 0, size, True, timeout, wait_for_workers=False) if rank == 0 else None
    port = world.bcast(server.port if server else None)
    yield server or TCPStore(host, port, size, False, timeout), rank, size


def _check_agrees(url: str, **found: int) -> None:
    """Raises ValueError if init_process_group was given another rank or world_size, which torch puts into the URL."""
    for name, texts in parse_qs(urlsplit(url).query).items():
        if name in found and int(texts[0]) != found[name]:
            raise ValueError(f"{name}={texts[0]} was given, but the launcher of this process says {found[name]}")
