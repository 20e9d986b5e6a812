"""What torch's DistributedDataParallel logs about a model, for the reducer that allred puts in its place."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from allred.ddp import DistributedDataParallel


class TrainingLog:
    """Takes the calls that torch makes to its own logger, and answers ``_get_ddp_logging_data()``. Writes nothing."""

    def __init__(self, parallel: DistributedDataParallel) -> None:
        self._parallel = weakref.ref(parallel)
        self._joins = False
        self._num_passes = 0

    def set_runtime_stats_and_log(self) -> None:
        """A forward pass begins."""
        self._num_passes += 1

    def set_error_and_log(self, message: str) -> None:
        """The error is raised as well."""

    def _set_uneven_input_join(self) -> None:
        self._joins = True

    def _set_static_graph(self) -> None:
        """The model says so itself."""

    def _get_ddp_logging_data(self) -> TrainingLog:
        return self

    @property
    def strs_map(self) -> dict[str, str]:
        """What is known of the training, in words."""
        parallel = self._live()
        hook = parallel._comm_hooks[0][0].__qualname__ if parallel._comm_hooks else ""
        return {
            "module_name": type(parallel.module).__name__,
            "backend_name": "allred",
            "comm_hook": hook,
            "bucket_sizes": ", ".join(map(str, parallel.reducer.bucket_bytes)),
        }

    @property
    def ints_map(self) -> dict[str, int]:
        """The same in numbers; switches are 0 or 1."""
        parallel = self._live()
        group: Any = parallel.process_group
        return {
            "world_size": group.size(),
            "rank": group.rank(),
            "iteration": self._num_passes,
            "bucket_cap_bytes": parallel.bucket_bytes_cap,
            "find_unused_parameters": int(parallel.find_unused_parameters),
            "gradient_as_bucket_view": int(parallel.gradient_as_bucket_view),
            "static_graph": int(parallel.static_graph),
            "join_uneven_inputs": int(self._joins),
            "has_rebuilt_buckets": int(parallel.reducer.is_rebuilt),
            "num_parameter_tensors": len(list(parallel.parameters())),
        }

    def _live(self) -> DistributedDataParallel:
        parallel = self._parallel()
        if parallel is None:
            raise RuntimeError("the model that this log is of no longer exists")
        return parallel
