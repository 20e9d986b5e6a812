from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal, SupportsFloat, SupportsInt, TypeAlias, final, overload

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

class Acquaintances: ...

class Reunion:
    def __init__(self, acquaintances: Acquaintances, members: Sequence[int], rank: int, name: str) -> None: ...
    def size(self) -> int: ...

class Work:
    def done(self) -> bool: ...
    def wait(self, timeout: float | None = None) -> None: ...
    def error(self) -> BaseException | None: ...

class MessageWork(Work):
    @property
    def source(self) -> int | None: ...

class SymmetricBuffer:
    """Bytes, by the buffer protocol."""

@final
class CallRecord:
    @property
    def collective(self) -> str: ...
    @property
    def op(self) -> str: ...
    @property
    def dtype(self) -> str: ...
    @property
    def algorithm(self) -> str: ...
    @property
    def failed(self) -> bool: ...
    @property
    def stream(self) -> int: ...
    @property
    def root(self) -> int: ...
    @property
    def sequence(self) -> int: ...
    @property
    def bytes(self) -> int: ...
    @property
    def submitted(self) -> int: ...
    @property
    def started(self) -> int: ...
    @property
    def entered(self) -> int | None: ...
    @property
    def done(self) -> int: ...

@final
class WaitRecord:
    @property
    def stream(self) -> int: ...
    @property
    def peer(self) -> int: ...
    @property
    def what(self) -> str: ...
    @property
    def begin(self) -> int: ...
    @property
    def end(self) -> int: ...

@final
class MessageRecord:
    @property
    def is_send(self) -> bool: ...
    @property
    def dtype(self) -> str: ...
    @property
    def failed(self) -> bool: ...
    @property
    def peer(self) -> int: ...
    @property
    def tag(self) -> int: ...
    @property
    def bytes(self) -> int: ...
    @property
    def begin(self) -> int: ...
    @property
    def end(self) -> int: ...

@final
class MarkRecord:
    @property
    def name(self) -> str: ...
    @property
    def index(self) -> int: ...
    @property
    def bytes(self) -> int: ...
    @property
    def begin(self) -> int: ...
    @property
    def end(self) -> int: ...

class Recorder:
    def __init__(self) -> None: ...
    def start(self, capacity: SupportsInt) -> None: ...
    def stop(self) -> tuple[list[CallRecord | WaitRecord | MessageRecord | MarkRecord], int]: ...
    def is_on(self) -> bool: ...
    def instant(self, name: str, index: SupportsInt = -1, bytes: SupportsInt = 0) -> None: ...
    def now(self) -> int: ...
    def span(self, name: str, begin: SupportsInt, index: SupportsInt = -1, bytes: SupportsInt = 0) -> None: ...

class Communicator:
    def __init__(
        self,
        origin: Bootstrap | Reunion,
        *,
        timeout: float,
        staging_bytes: int,
        wait: str,
        all_reduce_algorithm: str,
        tuning: Mapping[str, int],
    ) -> None: ...
    @property
    def rank(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def closed(self) -> bool: ...
    @property
    def num_cores(self) -> int: ...
    @property
    def tuning(self) -> dict[str, int]: ...
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
        compression: str = "none",
        seed: int = 0,
        residual: Array | None = None,
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
        compression: str = "none",
        seed: int = 0,
        residual: Array | None = None,
    ) -> Work: ...
    @overload
    def all_reduce_into(
        self,
        output: Array,
        input: Array,
        op: str = "sum",
        *,
        scale: float = 1.0,
        async_op: Literal[False] = False,
        timeout: float | None = None,
        algorithm: str = "auto",
        compression: str = "none",
        seed: int = 0,
        residual: Array | None = None,
    ) -> None: ...
    @overload
    def all_reduce_into(
        self,
        output: Array,
        input: Array,
        op: str = "sum",
        *,
        scale: float = 1.0,
        async_op: Literal[True],
        timeout: float | None = None,
        algorithm: str = "auto",
        compression: str = "none",
        seed: int = 0,
        residual: Array | None = None,
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
    def memory_stats(self) -> dict[str, int]: ...
    def _allocate(self, count: SupportsInt, dtype: str) -> SymmetricBuffer: ...
    def _capsule(self) -> object: ...
    @property
    def _acquaintances(self) -> Acquaintances: ...
    @property
    def _recorder(self) -> Recorder: ...
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

@final
class Choice:
    @property
    def algorithm(self) -> str: ...
    @property
    def mailbox_bytes(self) -> int: ...
    @property
    def contribution_bytes(self) -> int: ...
    @property
    def trial_bytes(self) -> int: ...
    @property
    def stretches(self) -> list[tuple[int, str]]: ...
    @property
    def decisive(self) -> list[tuple[str, int]]: ...

def choose(
    collective: str,
    count: SupportsInt,
    dtype: str,
    size: SupportsInt,
    num_cores: SupportsInt,
    *,
    tuning: Mapping[str, int] = ...,
) -> Choice: ...

class Cluster:
    def __init__(
        self,
        hosts: SupportsInt,
        ranks_per_host: SupportsInt,
        *,
        overhead: SupportsFloat = 0.0,
        inter_latency: SupportsFloat = 0.0,
        inter_byte: SupportsFloat = 0.0,
        intra_latency: SupportsFloat = 0.0,
        intra_byte: SupportsFloat = 0.0,
        reduce_byte: SupportsFloat = 0.0,
        segment_bytes: SupportsInt = 262144,
    ) -> None: ...
    @property
    def hosts(self) -> int: ...
    @property
    def ranks_per_host(self) -> int: ...
    @property
    def segment_bytes(self) -> int: ...
    max_segments: int

@final
class Prediction:
    @property
    def seconds(self) -> float: ...
    @property
    def sent_bytes(self) -> int: ...
    @property
    def sent_messages(self) -> int: ...
    @property
    def hops(self) -> int: ...
    @property
    def num_segments(self) -> int: ...
    @property
    def segment_bytes(self) -> int: ...

@final
class Timeline:
    @property
    def activities(self) -> list[tuple[int, int, str, float, float]]: ...
    @property
    def messages(self) -> list[tuple[int, int, int, int]]: ...

def predict(
    collective: str,
    algorithm: str,
    cluster: Cluster,
    count: SupportsInt,
    dtype: str = "float32",
    root: SupportsInt = 0,
    fold: bool = True,
) -> Prediction: ...
def trace(
    collective: str,
    algorithm: str,
    cluster: Cluster,
    count: SupportsInt,
    dtype: str = "float32",
    root: SupportsInt = 0,
) -> Timeline: ...
def candidates(collective: str, cluster: Cluster) -> list[str]: ...
def simulate_schedules(
    schedules: Sequence[Schedule],
    collective: str,
    count: SupportsInt,
    element_bytes: SupportsInt,
    cluster: Cluster,
) -> float: ...
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
def copy(destination: Array, source: Array, *, way: str = "plain", isa: str = "auto") -> None: ...
def widen(destination: Array, source: Array, dtype: str, *, isa: str = "auto") -> None: ...
def narrow(destination: Array, source: Array, dtype: str, *, isa: str = "auto") -> None: ...
def compressed_bytes(compression: str, count: SupportsInt) -> int: ...
def compress(
    destination: Array,
    values: Array,
    compression: str,
    *,
    first: SupportsInt = 0,
    seed: SupportsInt = 0,
    sequence: SupportsInt = 0,
    part: SupportsInt = 0,
    isa: str = "auto",
) -> None: ...
def decompress(destination: Array, source: Array, compression: str, *, isa: str = "auto") -> None: ...
def reduce_compressed(
    destination: Array,
    sources: Sequence[Array],
    count: SupportsInt,
    compression: str,
    *,
    divisor: SupportsInt = 1,
    seed: SupportsInt = 0,
    sequence: SupportsInt = 0,
    part: SupportsInt = 0,
    isa: str = "auto",
) -> None: ...
def assign_buckets(
    gradients: Sequence[tuple[int, str, bool]], order: Sequence[int], first_bytes: int, bytes: int
) -> list[list[int]]: ...

class Arrivals:
    def __init__(self, buckets: Sequence[Sequence[int]], num_gradients: int) -> None: ...
    def begin(self) -> None: ...
    def arrive(self, gradient: int) -> tuple[int, int]: ...
    @property
    def all_launched(self) -> bool: ...
    @property
    def missing(self) -> list[int]: ...
    @property
    def order(self) -> list[int]: ...

class WayChooser:
    def __init__(self) -> None: ...
    def choose(self, bytes: SupportsInt) -> str: ...
    def note(self, bytes: SupportsInt, way: str, nanoseconds: SupportsInt) -> None: ...
    period: ClassVar[int]
    period_at_first: ClassVar[int]
    early_turns: ClassVar[int]
    first_turns: ClassVar[int]
    @staticmethod
    def calls_a_turn(bytes: SupportsInt) -> int: ...

class ShotChooser:
    def __init__(self) -> None: ...
    @staticmethod
    def class_of(bytes: SupportsInt, most_bytes: SupportsInt) -> int: ...
    def begin(self, size_class: SupportsInt) -> bool: ...
    def note(self, size_class: SupportsInt, algorithm: str, nanoseconds: SupportsInt) -> None: ...
    def by_one_shot(self) -> int: ...
    num_classes: ClassVar[int]
    none: ClassVar[int]
    period: ClassVar[int]
    trials: ClassVar[int]

class SharedPieces:
    def __init__(self) -> None: ...
    def open(self, num_pieces: SupportsInt) -> int: ...
    def take_first(self) -> int | None: ...
    def close(self) -> None: ...
    def is_over(self) -> bool: ...
    def take_last(self, turn: SupportsInt) -> int | None: ...
    def finish(self) -> None: ...
    def give_back(self) -> None: ...

def take_top_k(indices: Array, taken: Array, values: Array) -> None: ...
def add_pairs(destination: Array, indices: Array, values: Array, scale: SupportsFloat = 1.0) -> None: ...

class LearnedBasis:
    def __init__(self, rows: SupportsInt, columns: SupportsInt, *, isa: str = "auto") -> None: ...
    def to_coefficients(self, destination: Array, source: Array) -> None: ...
    def from_coefficients(self, destination: Array, source: Array) -> None: ...
    def learn(self, values: Array) -> None: ...

def available_isas() -> list[str]: ...
def best_isa() -> str: ...
def chunk_bytes_for(contribution_bytes: SupportsInt, has_core_a_rank: bool, numbers: Mapping[str, int]) -> int: ...
def complete_tuning(numbers: Mapping[str, int]) -> dict[str, int]: ...
def cpu_quota(root: str = "/") -> float | None: ...
def count_cores(ranks: Sequence[tuple[str, SupportsFloat, str]]) -> int: ...
def last_level_cache(root: str = "/") -> tuple[int, int] | None: ...
def cgroup_folders(controller: str, root: str = "/") -> list[str]: ...
def try_reading(pid: SupportsInt, address: SupportsInt) -> int: ...
def has_membarrier() -> bool: ...
def shared_memory_bytes(size: SupportsInt, staging_bytes: SupportsInt) -> dict[str, int]: ...
