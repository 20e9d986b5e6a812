"""Whose forward pass is under way: torch.compile cuts a model's graph where the buckets of that module end."""

from __future__ import annotations

from typing import Any

from torch.nn.parallel import DistributedDataParallel as TorchDDP


class ActiveModule:
    """Stands for the DistributedDataParallel that it holds, and for none where it is false.

    torch keeps the active module in an attribute of its class. Each change of that makes Python forget how it finds the
    attributes of the class and of those derived from it, which costs a forward pass more than all else that is done
    around it. So this one stays there.

    Attributes:
        current: whose forward pass is under way, or None.
    """

    def __init__(self) -> None:
        self.current: Any = None

    def __bool__(self) -> bool:
        return self.current is not None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.current, name)

    def install(self) -> None:
        """Where no forward pass is under way."""
        if TorchDDP._active_ddp_module is None:
            TorchDDP._active_ddp_module = self
