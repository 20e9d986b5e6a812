from collections.abc import Iterable, Sequence
from typing import Any, Literal, SupportsInt, TypeAlias, final, overload

# Whatever offers its memory: the buffer protocol (numpy arrays, bytearray, memoryview) or DLPack (CPU tensors).
Array: TypeAlias = Any
# An array in which the ranks' blocks lie one after the other, or a list of arrays, one a rank.
Blocks: TypeAlias = Any

class Bootstrap:
    def __init__(self) -> None: ...
    def rank(self) -> int: ...
    def size(self) -> int: ...

class InProcessRendezvous:
    def __init__(self, size: int, timeout: float) -> None: ...
    def cancel(self, reason: str) -> None: ...

class InProcessBootstrap(Bootstrap):
    def __init__(self, rendezvous: InProcessRendezvous, rank: int) -> None: ...

class Work:
    def done(self) -> bool: ...
    def wait(self, timeout: float | None = None) -> None: ...
    def error(self) -> BaseException | None: ...

class MessageWork(Work):
    @property
    def source(self) -> int | None: ...

class Communicator:
    def __init__(
        self, bootstrap: Bootstrap, *, timeout: float, staging_bytes: int, wait: str, all_reduce_algorithm: str
    ) -> None: ...
    @property
    def rank(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def num_cores(self) -> int: ...
    @overload
    def all_reduce(
        self,
        array: Array,
        op: str = "sum",
        *,
        scale: float = 1.0,
        async_op: Literal[False] = False,
        timeout: float | None = None,
        algorithm: str = "auto",
    ) -> None: ...
    @overload
    def all_reduce(
        self,
        array: Array,
        op: str = "sum",
        *,
        scale: float = 1.0,
        async_op: Literal[True],
        timeout: float | None = None,
        algorithm: str = "auto",
    ) -> Work: ...
    @overload
    def broadcast(
        self,
        array: Array,
        root: int = 0,
        *,
        async_op: Literal[False] = False,
        timeout: float | None = None,
        algorithm: str = "auto",
    ) -> None: ...
    @overload
    def broadcast(
        self,
        array: Array,
        root: int = 0,
        *,
        async_op: Literal[True],
        timeout: float | None = None,
        algorithm: str = "auto",
    ) -> Work: ...
    @overload
    def reduce(
        self,
        array: Array,
        root: int = 0,
        op: str = "sum",
        *,
        scale: float = 1.0,
        async_op: Literal[False] = False,
        timeout: float | None = None,
        algorithm: str = "auto",
    ) -> None: ...
    @overload
    def reduce(
        self,
        array: Array,
        root: int = 0,
        op: str = "sum",
        *,
        scale: float = 1.0,
        async_op: Literal[True],
        timeout: float | None = None,
        algorithm: str = "auto",
    ) -> Work: ...
    @overload
    def all_gather_into(
        self,
        output: Blocks,
        input: Array,
        *,
        async_op: Literal[False] = False,
        timeout: float | None = None,
        algorithm: str = "auto",
    ) -> None: ...
    @overload
    def all_gather_into(
        self,
        output: Blocks,
        input: Array,
        *,
        async_op: Literal[True],
        timeout: float | None = None,
        algorithm: str = "auto",
    ) -> Work: ...
    @overload
    def reduce_scatter_into(
        self,
        output: Array,
        input: Blocks,
        op: str = "sum",
        *,
        scale: float = 1.0,
        async_op: Literal[False] = False,
        timeout: float | None = None,
        algorithm: str = "auto",
    ) -> None: ...
    @overload
    def reduce_scatter_into(
        self,
        output: Array,
        input: Blocks,
        op: str = "sum",
        *,
        scale: float = 1.0,
        async_op: Literal[True],
        timeout: float | None = None,
        algorithm: str = "auto",
    ) -> Work: ...
    @overload
    def gather_into(
        self,
        output: Blocks | None,
        input: Array,
        root: int = 0,
        *,
        async_op: Literal[False] = False,
        timeout: float | None = None,
        algorithm: str = "auto",
    ) -> None: ...
    @overload
    def gather_into(
        self,
        output: Blocks | None,
        input: Array,
        root: int = 0,
        *,
        async_op: Literal[True],
        timeout: float | None = None,
        algorithm: str = "auto",
    ) -> Work: ...
    @overload
    def scatter_into(
        self,
        output: Array,
        input: Blocks | None,
        root: int = 0,
        *,
        async_op: Literal[False] = False,
        timeout: float | None = None,
        algorithm: str = "auto",
    ) -> None: ...
    @overload
    def scatter_into(
        self,
        output: Array,
        input: Blocks | None,
        root: int = 0,
        *,
        async_op: Literal[True],
        timeout: float | None = None,
        algorithm: str = "auto",
    ) -> Work: ...
    @overload
    def all_to_all_into(
        self,
        output: Blocks,
        input: Blocks,
        *,
        input_counts: Iterable[int] | None = None,
        output_counts: Iterable[int] | None = None,
        async_op: Literal[False] = False,
        timeout: float | None = None,
        algorithm: str = "auto",
    ) -> None: ...
    @overload
    def all_to_all_into(
        self,
        output: Blocks,
        input: Blocks,
        *,
        input_counts: Iterable[int] | None = None,
        output_counts: Iterable[int] | None = None,
        async_op: Literal[True],
        timeout: float | None = None,
        algorithm: str = "auto",
    ) -> Work: ...
    @overload
    def barrier(
        self, *, async_op: Literal[False] = False, timeout: float | None = None, algorithm: str = "auto"
    ) -> None: ...
    @overload
    def barrier(self, *, async_op: Literal[True], timeout: float | None = None, algorithm: str = "auto") -> Work: ...
    @overload
    def send(
        self, array: Array, to: int, tag: int = 0, *, async_op: Literal[False] = False, timeout: float | None = None
    ) -> None: ...
    @overload
    def send(
        self, array: Array, to: int, tag: int = 0, *, async_op: Literal[True], timeout: float | None = None
    ) -> MessageWork: ...
    @overload
    def recv(
        self,
        array: Array,
        source: int | None = None,
        tag: int = 0,
        *,
        async_op: Literal[False] = False,
        timeout: float | None = None,
    ) -> int: ...
    @overload
    def recv(
        self,
        array: Array,
        source: int | None = None,
        tag: int = 0,
        *,
        async_op: Literal[True],
        timeout: float | None = None,
    ) -> MessageWork: ...
    def abort(self, reason: str = "asked for by the program") -> None: ...
    def close(self) -> None: ...
    def chosen_algorithm(self, collective: str, count: SupportsInt, dtype: str = "float32") -> str: ...
    def _capsule(self) -> object: ...
    def _refuse(self, reason: str) -> None: ...

class Range:
    def __init__(self, buffer: str, offset: SupportsInt, count: SupportsInt) -> None: ...
    buffer: str
    offset: int
    count: int
    def __eq__(self, other: object) -> bool: ...

class Step:
    def __init__(
        self,
        kind: str,
        peer: SupportsInt = -1,
        range: Range = ...,
        source: Range = ...,
        after: Sequence[SupportsInt] = ...,
    ) -> None: ...
    kind: str
    peer: int
    range: Range
    source: Range
    after: list[int]

class Schedule:
    def __init__(
        self, rank: SupportsInt, size: SupportsInt, scratch_count: SupportsInt = 0, steps: Sequence[Step] = ...
    ) -> None: ...
    rank: int
    size: int
    scratch_count: int
    steps: list[Step]

@final
class ScheduleStatistics:
    @property
    def sent_elements(self) -> list[int]: ...
    @property
    def sent_messages(self) -> list[int]: ...
    @property
    def max_scratch(self) -> int: ...
    @property
    def rounds(self) -> int: ...

def schedule_algorithms() -> list[tuple[str, str]]: ...
def make_schedule(
    collective: str, algorithm: str, rank: SupportsInt, size: SupportsInt, count: SupportsInt, root: SupportsInt = 0
) -> Schedule: ...
def verify_schedules(
    schedules: Sequence[Schedule], collective: str, count: SupportsInt, root: SupportsInt = 0
) -> list[str]: ...
def verify_algorithm(
    collective: str, algorithm: str, size: SupportsInt, count: SupportsInt, root: SupportsInt = 0
) -> list[str]: ...
def schedule_statistics(
    collective: str, algorithm: str, size: SupportsInt, count: SupportsInt, root: SupportsInt = 0
) -> ScheduleStatistics: ...
def chunk_of(count: SupportsInt, num_chunks: SupportsInt, idx: SupportsInt) -> tuple[int, int]: ...
def reduce(
    destination: Array,
    sources: Sequence[Array],
    dtype: str,
    op: str,
    *,
    scales: Sequence[float] | None = None,
    divisor: SupportsInt = 1,
    isa: str = "auto",
) -> None: ...
def widen(destination: Array, source: Array, dtype: str, *, isa: str = "auto") -> None: ...
def narrow(destination: Array, source: Array, dtype: str, *, isa: str = "auto") -> None: ...
def available_isas() -> list[str]: ...
def best_isa() -> str: ...
