"""Lets allred stand in for Gloo: what torch makes under the name "gloo" is then allred's.

torch's tests are skipped or adapted by the name of the backend, so that a test of "allred" by name would leave out what
is not known to work on it. Here torch keeps the name, and the class that it constructs and asks instances for differs.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast
from unittest.mock import patch

from torch import distributed as dist
from torch import nn
from torch._C._distributed_c10d import _DistributedBackendOptions
from torch.distributed import distributed_c10d
from torch.nn.parallel import DistributedDataParallel
from torch.testing._internal.distributed import distributed_test

from allred import backend
from allred.ddp import DistributedDataParallel as OwnDistributedDataParallel

THREADS_OF_GLOO = 2

Events = Callable[..., list[Any]]


class _ConstructsAllred(type):
    """The class of a class whose instances are allred's process groups."""

    def __call__(cls, store: dist.Store, rank: int, size: int, timeout: timedelta) -> Any:
        options = cast(Any, _DistributedBackendOptions())  # torch's stubs leave its fields out
        options.store = store
        options.group_rank = rank
        options.group_size = size
        options.timeout = timeout
        return backend.create_process_group(options, None)

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, backend.load_native().ProcessGroupAllred)


class GlooStandIn(metaclass=_ConstructsAllred):
    """Takes the place of ``ProcessGroupGloo`` in ``distributed_c10d``."""


def install() -> None:
    """From here on, ``init_process_group("gloo")`` and ``new_group`` of this process and its forks use allred.

    The group through which torch's debug mode compares calls, beside the one it watches, remains Gloo's, as it is for
    whoever uses the backend "allred".
    """
    gloo = distributed_c10d.ProcessGroupGloo
    wrap = distributed_c10d._create_process_group_wrapper

    def wrap_beside_gloo(*args: Any, **kwargs: Any) -> Any:
        with patch.object(distributed_c10d, "ProcessGroupGloo", gloo):
            return wrap(*args, **kwargs)

    distributed_c10d._create_process_group_wrapper = wrap_beside_gloo
    distributed_c10d.ProcessGroupGloo = cast(Any, GlooStandIn)
    DistributedDataParallel._get_ddp_logging_data = _with_threads_of_gloo(DistributedDataParallel._get_ddp_logging_data)
    distributed_test.get_profiling_event = _with_titles_of_gloo(distributed_test.get_profiling_event)


def install_ddp() -> None:
    """From here on, whoever asks torch for DistributedDataParallel gets allred's. After install()."""
    nn.parallel.DistributedDataParallel = OwnDistributedDataParallel  # type: ignore[misc]


def _with_threads_of_gloo(get_data: Callable[[Any], dict[str, Any]]) -> Callable[[Any], dict[str, Any]]:
    """The logger takes a group called "gloo" for Gloo's C++ object, and reads a number of threads where none is."""

    def get(model: Any) -> dict[str, Any]:
        return get_data(model) | {"gloo_num_threads": THREADS_OF_GLOO}

    return get


def _with_titles_of_gloo(find_events: Events) -> Events:
    """The profiler's records are titled by backend: the tests ask for "gloo:send" where allred's is "allred:send"."""

    def find(title: str, *args: Any, **kwargs: Any) -> list[Any]:
        found = [copy.copy(event) for event in find_events(title.replace("gloo:", "allred:"), *args, **kwargs)]
        for event in found:
            event.name = event.name.replace("allred:", "gloo:")
        return found

    return find
