"""Horovod's interface for PyTorch on allred: a script changes ``import horovod.torch as hvd``, and nothing else.

    import allred.horovod as hvd

    hvd.init()
    optimizer = hvd.DistributedOptimizer(optimizer, named_parameters=model.named_parameters())
    hvd.broadcast_parameters(model.state_dict(), root_rank=0)

docs/horovod.md lists what is there and what differs.
"""

from typing import Any

from allred.horovod.allgather import allgather, allgather_async, grouped_allgather, sparse_allreduce_async
from allred.horovod.allreduce import (
    allreduce,
    allreduce_,
    allreduce_async,
    allreduce_async_,
    grouped_allreduce,
    grouped_allreduce_,
    grouped_allreduce_async,
    grouped_allreduce_async_,
)
from allred.horovod.alltoall import alltoall, alltoall_async
from allred.horovod.barrier import barrier
from allred.horovod.broadcast import broadcast, broadcast_, broadcast_async, broadcast_async_
from allred.horovod.builds import (
    ccl_built,
    cuda_built,
    ddl_built,
    gloo_built,
    gloo_enabled,
    mpi_built,
    mpi_enabled,
    mpi_threads_supported,
    nccl_built,
    rocm_built,
)
from allred.horovod.compression import Compression
from allred.horovod.handles import poll, synchronize
from allred.horovod.job import (
    add_process_set,
    cross_rank,
    cross_size,
    init,
    is_homogeneous,
    is_initialized,
    local_rank,
    local_size,
    process_set_included,
    rank,
    remove_process_set,
    shutdown,
    size,
)
from allred.horovod.joining import join
from allred.horovod.objects import allgather_object, broadcast_object
from allred.horovod.operators import Adasum, Average, Max, Min, Product, ReduceOp, Sum
from allred.horovod.optimizer import DistributedOptimizer
from allred.horovod.parameters import broadcast_optimizer_state, broadcast_parameters
from allred.horovod.process_sets import ProcessSet, global_process_set
from allred.horovod.reducescatter import grouped_reducescatter, reducescatter, reducescatter_async

_NOT_OFFERED = ("elastic", "SyncBatchNorm", "start_timeline", "stop_timeline", "run")


def __getattr__(name: str) -> Any:
    if name in _NOT_OFFERED:
        raise AttributeError(f"allred.horovod does not offer {name}, which Horovod has; see docs/horovod.md")
    raise AttributeError(f"module 'allred.horovod' has no attribute {name!r}")


__all__ = [
    "Adasum",
    "Average",
    "Compression",
    "DistributedOptimizer",
    "Max",
    "Min",
    "ProcessSet",
    "Product",
    "ReduceOp",
    "Sum",
    "add_process_set",
    "allgather",
    "allgather_async",
    "allgather_object",
    "allreduce",
    "allreduce_",
    "allreduce_async",
    "allreduce_async_",
    "alltoall",
    "alltoall_async",
    "barrier",
    "broadcast",
    "broadcast_",
    "broadcast_async",
    "broadcast_async_",
    "broadcast_object",
    "broadcast_optimizer_state",
    "broadcast_parameters",
    "ccl_built",
    "cross_rank",
    "cross_size",
    "cuda_built",
    "ddl_built",
    "global_process_set",
    "gloo_built",
    "gloo_enabled",
    "grouped_allgather",
    "grouped_allreduce",
    "grouped_allreduce_",
    "grouped_allreduce_async",
    "grouped_allreduce_async_",
    "grouped_reducescatter",
    "init",
    "is_homogeneous",
    "is_initialized",
    "join",
    "local_rank",
    "local_size",
    "mpi_built",
    "mpi_enabled",
    "mpi_threads_supported",
    "nccl_built",
    "poll",
    "process_set_included",
    "rank",
    "reducescatter",
    "reducescatter_async",
    "remove_process_set",
    "rocm_built",
    "shutdown",
    "size",
    "sparse_allreduce_async",
    "synchronize",
]
