"""A part of torch's tests that takes about a minute: some of every kind, each known to pass on Gloo."""

from __future__ import annotations

from collections.abc import Iterable

from outcome import PASS, Column, Outcome, Outcomes

SIZES = (2, 3)

COLLECTIVES = (
    "test_all_gather",
    "test_all_gather_coalesced_with_empty",
    "test_all_gather_object_default_pg",
    "test_all_reduce_coalesced_sum",
    "test_all_reduce_max",
    "test_all_reduce_product",
    "test_all_reduce_sum_async",
    "test_all_reduce_sum_complex",
    "test_all_to_all_single_equal_split",
    "test_all_to_all_single_unequal_split_complex",
    "test_broadcast",
    "test_gather",
    "test_reduce_min",
    "test_reduce_sum_twice",
    "test_scatter_complex",
    "test_scatter_object_list",
    "test_sparse_all_reduce_sum",
)
POINT_TO_POINT = (
    "test_batch_isend_irecv_gloo_tags",
    "test_irecv",
    "test_isend_torch_profiler",
    "test_send_recv_any_source_autograd_profiler",
    "test_send_recv_autograd_profiler",
    "test_send_recv_with_tag",
)
BARRIERS = (
    "test_barrier",
    "test_barrier_timeout_full_group",
    "test_barrier_timeout_global",
    "test_monitored_barrier_gloo",
    "test_monitored_barrier_gloo_rank_0_timeout",
    "test_monitored_barrier_gloo_subgroup",
)
GROUPS = (
    "test_all_gather_object_subgroup",
    "test_all_reduce_full_group_sum",
    "test_destroy_group",
    "test_get_backend",
    "test_get_rank_size_group",
)
TRAINING = (
    "test_DistributedDataParallelCPU_grad_is_view",
    "test_accumulate_gradients_no_sync_allreduce_with_then_hook",
    "test_ddp_create_graph",
    "test_ddp_logging_data_cpu",
    "test_get_future",
    "test_grads_same_across_ranks_with_no_sync",
    "test_static_graph_api_cpu",
)
# with allred's own DistributedDataParallel, whose log has none of the times that torch's has
OWN_DDP = tuple(test for test in TRAINING if test not in ("test_ddp_logging_data_cpu", "test_static_graph_api_cpu"))
TESTS = (*COLLECTIVES, *POINT_TO_POINT, *BARRIERS, *GROUPS, *TRAINING)


def known_of_gloo(sizes: Iterable[int], tests: Iterable[str]) -> Outcomes:
    """What Gloo makes of tests of the subset, without running them."""
    passes = {test: Outcome(test, PASS) for test in tests}
    return {Column("gloo", size): dict(passes) for size in sizes}


def pattern(tests: Iterable[str]) -> str:
    """A regular expression that the names of these tests match, and no others."""
    return f"^({'|'.join(tests)})$"
