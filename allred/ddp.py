"""Data-parallel training: torch's DistributedDataParallel, with gradients averaged by allred's own reducer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
import torch.distributed as dist
from torch._dynamo.decorators import skip
from torch.distributed.algorithms.ddp_comm_hooks import default_hooks
from torch.nn.parallel import DistributedDataParallel as TorchDDP

from allred import hooks
from allred._core import Communicator
from allred.backend import backend_of, load_native
from allred.ddp_active import ActiveModule
from allred.ddp_log import TrainingLog
from allred.ddp_model import check_same_model

_FIRST_BUCKET_BYTES = 1 << 20
_UNSUPPORTED = ("mixed_precision", "skip_all_reduce_unused_params", "bucket_cap_mb_list", "batched_grad_copy")
_active = ActiveModule()
_BUILTIN_HOOKS = {
    dist.BuiltinCommHookType.ALLREDUCE: default_hooks.allreduce_hook,
    dist.BuiltinCommHookType.FP16_COMPRESS: default_hooks.fp16_compress_hook,
}


class DistributedDataParallel(TorchDDP):  # type: ignore[misc]  # untyped
    """A model that is trained by several ranks, each on batches of its own, as one process would train it on all.

    A drop-in for ``torch.nn.parallel.DistributedDataParallel``, from which it derives: forward passes, ``no_sync()``,
    ``join()``, ``register_comm_hook()`` and ``state_dict()`` are those of torch. The gradients are averaged by native
    code, in buckets in symmetric memory, which the ranks of a host reduce in place.

    Args:
        module: a model whose parameters are on the CPU, the same on all ranks.
        process_group: a process group whose backend for CPU is allred, by default the default group, or an
            :class:`allred.Communicator`.
        compression: how gradients travel: "bfloat16", "float16", "int8", "int8_stochastic", "topk", a state of
            :mod:`allred.hooks`, or a communication hook. By default as they are.
        bucket_cap_mb: size of a bucket in MiB, by default 25, and of the first bucket 1.
        gradient_as_bucket_view: gradients are views of the buckets, which saves a copy of them. True by default.
        **options: as for torch's class: ``broadcast_buffers``, ``forward_sync_buffers``, ``find_unused_parameters``,
            ``static_graph``, ``init_sync``, ``device_mesh`` and others.

    Raises:
        ValueError: the group's backend is not allred, a parameter is not on the CPU, or the compression is not known.
        RuntimeError: the ranks' models differ in names, shapes, dtypes or requires_grad; the text, the same on all
            ranks, lists the differences.
        NotImplementedError: ``mixed_precision``, ``skip_all_reduce_unused_params``, ``bucket_cap_mb_list`` or
            ``batched_grad_copy`` was asked for.

    A forward pass with gradients that is not followed by a backward pass, on some ranks only, is an error on all ranks
    in the next backward pass; run it under ``torch.no_grad()`` or in ``no_sync()``.

    Source of the method: Li et al., PyTorch Distributed: Experiences on Accelerating Data Parallel Training, VLDB 2020.
    """

    reducer: Any
    logger: Any
    _passes_are_plain = False  # what does not change from pass to pass asks nothing more of forward

    def __init__(
        self,
        module: torch.nn.Module,
        device_ids: Sequence[int | torch.device] | None = None,
        output_device: int | torch.device | None = None,
        dim: int = 0,
        broadcast_buffers: bool | None = None,
        init_sync: bool = True,
        process_group: dist.ProcessGroup | Communicator | None = None,
        bucket_cap_mb: float | None = None,
        *,
        gradient_as_bucket_view: bool = True,
        compression: str | hooks.Int8 | hooks.TopK | hooks.Hook | None = None,
        **options: Any,
    ) -> None:
        _check_options(options)
        _check_devices(module)
        if isinstance(process_group, Communicator):
            process_group = _group_around(process_group)
        mesh = options.get("device_mesh")
        group = process_group or (mesh.get_group(mesh_dim=0) if mesh is not None else dist.group.WORLD)
        backend_of(group, "allred.DistributedDataParallel")
        if init_sync:
            check_same_model(module, cast(dist.ProcessGroup, group))
        super().__init__(
            module,
            device_ids,
            output_device,
            dim,
            broadcast_buffers,
            init_sync,
            process_group,
            bucket_cap_mb,
            gradient_as_bucket_view=gradient_as_bucket_view,
            **options,
        )
        if compression is not None:
            self.register_comm_hook(*hooks.from_compression(compression, self.process_group))

    # ---- torch's forward pass, without its detours ----

    # The compiler skips it, as it skips torch's: it compiles the model, in pieces that end where buckets do.
    @skip  # type: ignore[untyped-decorator]
    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """The module's outputs for the same arguments. Its backward pass averages the gradients.

        Raises:
            RuntimeError: the backward pass before did not end, as parameters got no gradients; the text names them.
        """
        if not self._is_plain_pass():
            return super().forward(*inputs, **kwargs)
        self.logger.set_runtime_stats_and_log()
        if self.reducer.begin_forward():
            self._has_rebuilt_buckets = True
        outer = _active.current
        _active.current = self
        try:
            outputs = self._modules["module"](*inputs, **kwargs)
        finally:
            _active.current = outer
        self.reducer.prepare_for_backward([])
        return outputs

    def _is_plain_pass(self) -> bool:
        """Whether torch's forward would call the module and the reducer, and do nothing else."""
        return (
            self._passes_are_plain
            and self.require_backward_grad_sync
            and self.require_forward_param_sync
            and torch.is_grad_enabled()
            and not self._join_config.enable
            and TorchDDP._active_ddp_module is _active
            and not torch.autograd._profiler_enabled()
        )

    def _lazy_init(self) -> None:
        """Called in the first forward pass, which is torch's."""
        super()._lazy_init()
        _active.install()
        self._passes_are_plain = not (
            self.find_unused_parameters
            or self.static_graph
            or (self.broadcast_buffers and self.modules_buffers)
            or self.device_ids
            or self._use_python_reducer
            or self._delay_all_reduce_all_params
        )

    def _set_static_graph(self) -> None:
        super()._set_static_graph()
        self._passes_are_plain = False

    # ---- torch's reducer, replaced ----

    def _ddp_init_helper(
        self,
        parameters: list[torch.Tensor],
        expect_sparse_gradient: list[bool],
        param_to_name_mapping: dict[int, str],
        static_graph: bool,
    ) -> None:
        del param_to_name_mapping  # in which a shared parameter has its last name; people know it by its first
        names = {parameter: name for name, parameter in self.module.named_parameters()}
        self.reducer = load_native().Reducer(
            backend_of(self.process_group, "allred.DistributedDataParallel"),
            parameters,
            [names[parameter] for parameter in parameters],
            expect_sparse_gradient,
            capacity=self._bucket_capacity(),
            find_unused=self.find_unused_parameters,
            static_graph=static_graph,
            gradients_are_views=self.gradient_as_bucket_view,
        )
        self.logger = TrainingLog(self)
        self._passing_sync_batchnorm_handle(self.module)

    def _bucket_capacity(self) -> tuple[int, int]:
        return _FIRST_BUCKET_BYTES if self.bucket_bytes_cap_default else self.bucket_bytes_cap, self.bucket_bytes_cap

    def register_comm_hook(self, state: object, hook: Callable[..., Any]) -> None:
        """As torch's: ``hook(state, bucket)`` returns a future of the bucket's average, from the next pass on.

        Raises:
            TypeError: the hook cannot be called.
            ValueError: its annotations are not those of a communication hook.
            RuntimeError: there is a hook already.
        """
        self._check_comm_hook(hook)
        self.reducer.register_comm_hook(state, hook)
        self._comm_hooks.append((hook, state))

    def _register_builtin_comm_hook(self, comm_hook_type: dist.BuiltinCommHookType) -> None:
        self.register_comm_hook(self.process_group, _BUILTIN_HOOKS[comm_hook_type])

    def _match_all_reduce_for_bwd_pass(self) -> None:
        self.reducer.reduce_zeros()

    def _match_unused_params_allreduce(self) -> None:
        self.reducer.agree_on_no_use()

    def _update_process_group(self, new_process_group: dist.ProcessGroup) -> None:
        self.process_group = new_process_group
        self.reducer._update_process_group(backend_of(new_process_group, "allred.DistributedDataParallel"))

    def _set_ddp_runtime_logging_sample_rate(self, sample_rate: int) -> None:
        """Nothing to sample: allred.trace has the times."""
        if sample_rate < 1:
            raise ValueError(f"sample_rate={sample_rate}: expected 1 or more")

    @property
    def _distributed_rank(self) -> int:
        rank: int = self.process_group.rank()
        return rank

    def join(self, *args: Any, **kwargs: Any) -> Any:
        """As torch's: a context in which ranks may have different numbers of batches.

        Raises:
            ValueError: the model was given a Communicator, of which torch's ``Join`` knows nothing.
        """
        if not dist.is_initialized() or self.process_group not in dist.distributed_c10d._world.pg_group_ranks:
            raise ValueError("join: the model has a Communicator; expected a process group of torch")
        return super().join(*args, **kwargs)


def _check_options(options: dict[str, Any]) -> None:
    for name in _UNSUPPORTED:
        if options.get(name):
            raise NotImplementedError(
                f"allred.DistributedDataParallel: {name}={options[name]!r} is not supported; "
                "torch.nn.parallel.DistributedDataParallel has it, and runs on the backend allred as well"
            )


def _check_devices(module: torch.nn.Module) -> None:
    for name, parameter in module.named_parameters():
        if parameter.device.type != "cpu":
            raise ValueError(f"allred.DistributedDataParallel: parameter {name} is on {parameter.device}, expected cpu")


def _group_around(communicator: Communicator) -> dist.ProcessGroup:
    """A process group of the communicator's ranks, which torch does not list among its own."""
    native = load_native()
    group = dist.ProcessGroup(dist.HashStore(), communicator.rank, communicator.size)
    group._register_backend(
        torch.device("cpu"),
        dist.ProcessGroup.BackendType.CUSTOM,
        native.ProcessGroupAllred.around(communicator, native.Options()),
    )
    group._set_default_backend(dist.ProcessGroup.BackendType.CUSTOM)
    return group
