"""What a script finds under the names that it knows from Horovod."""

from __future__ import annotations

import pytest

import allred.horovod as hvd
from allred.horovod.placement import placement_of

GROUPS = {
    "job": "init shutdown is_initialized rank size local_rank local_size cross_rank cross_size is_homogeneous",
    "allreduce": "allreduce allreduce_ allreduce_async allreduce_async_ sparse_allreduce_async",
    "groups": "grouped_allreduce grouped_allreduce_ grouped_allreduce_async grouped_allreduce_async_ grouped_allgather",
    "broadcast": "broadcast broadcast_ broadcast_async broadcast_async_",
    "others": "allgather allgather_async alltoall alltoall_async reducescatter reducescatter_async barrier join",
    "more groups": "grouped_reducescatter poll synchronize",
    "values": "broadcast_parameters broadcast_optimizer_state broadcast_object allgather_object",
    "optimizer": "DistributedOptimizer Compression Average Sum Adasum Min Max Product",
    "sets": "ProcessSet global_process_set add_process_set remove_process_set process_set_included",
    "mpi": "mpi_threads_supported mpi_built mpi_enabled gloo_built gloo_enabled",
    "built": "nccl_built ddl_built ccl_built cuda_built rocm_built",
}
NAMES = {name for group in GROUPS.values() for name in group.split()}


def test_the_names_are_there() -> None:
    assert [name for name in NAMES if not hasattr(hvd, name)] == []
    assert set(hvd.__all__) - {"ReduceOp"} == NAMES


def test_what_is_not_offered_says_where_to_read_about_it() -> None:
    with pytest.raises(AttributeError, match=r"does not offer elastic.*docs/horovod.md"):
        hvd.elastic  # noqa: B018
    with pytest.raises(AttributeError, match="has no attribute 'alreduce'"):
        hvd.alreduce  # noqa: B018


def test_alone_without_a_launcher() -> None:
    hvd.init()
    hvd.init()
    try:
        assert hvd.is_initialized()
        assert (hvd.rank(), hvd.size(), hvd.local_rank(), hvd.local_size()) == (0, 1, 0, 1)
        assert (hvd.cross_rank(), hvd.cross_size(), hvd.is_homogeneous()) == (0, 1, True)
    finally:
        hvd.shutdown()
    assert not hvd.is_initialized()
    hvd.shutdown()
    hvd.init(process_sets=[[0]])
    hvd.shutdown()
    with pytest.raises(ValueError, match=r"comm=\[0, 1\]: expected an mpi4py communicator"):
        hvd.init(comm=[0, 1])


def test_placement_on_several_hosts() -> None:
    hosts = ["a", "b", "a", "b", "a"]
    assert placement_of(0, hosts) == (0, 3, 0, 2, False)
    assert placement_of(3, hosts) == (1, 2, 1, 2, False)
    assert placement_of(4, hosts) == (2, 3, 0, 1, False)
    assert placement_of(1, ["a", "b"]).is_homogeneous
