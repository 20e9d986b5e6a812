"""The Python API without torch."""

from __future__ import annotations

import atexit
import itertools
import json
import math
import weakref
from collections.abc import Callable, Sequence
from operator import index
from types import TracebackType
from typing import TYPE_CHECKING, Any, SupportsIndex

from allred import _core, tuning
from allred import bootstrap as bootstrap_
from allred import launcher as launcher_
from allred.config import Config
from allred.errors import InvalidArgumentError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_DESCRIPTION_BYTES = 2048  # more than a dtype and the most dimensions that numpy has
# Floats that numpy does not have, and its words of their size.
_WORDS = {"bfloat16": "uint16", "float8_e4m3fn": "uint8", "float8_e5m2": "uint8"}

_communicators: weakref.WeakValueDictionary[int, Communicator] = weakref.WeakValueDictionary()
_numbers = itertools.count()

#: Each is called with every communicator that is made, on the thread that makes it.
observers: list[Callable[[Communicator], None]] = []


def communicators() -> list[Communicator]:
    """Those of this process that are open, oldest first."""
    return [each for each in list(_communicators.values()) if not each.closed]


class Communicator(_core.Communicator):
    """A group of ranks that run collectives together and send each other messages.

    Made by :func:`init` or :func:`run_threads`.

    An array is a numpy array, a writable buffer, or a CPU tensor that speaks DLPack: C-contiguous, of dtype float64,
    float32, float16, bfloat16, float8_e4m3fn, float8_e5m2, an integer of 8 to 64 bits, bool, complex64 or complex128.
    Each rank makes the same calls in the same order, with the same dtype, number of elements, op and root; else all
    ranks get a MismatchError that says who called what, and may go on. A wrong argument is an error on the rank that
    gives it, and a MismatchError with the reason on the others, which all may go on as well.

    Two ranks alone exchange a message by ``send`` and ``recv``, which match by rank and tag in the order in which they
    are called, in any order with all other calls; a MismatchError says where dtype or number of elements differ.

    Keyword arguments of all collectives: ``timeout`` in seconds (by default ``config.timeout``), ``algorithm`` (by
    default chosen by size), and ``async_op``: True returns a :class:`Work` at once, and the arrays must not be touched
    until it is done.

    A rank waits without the GIL, and Ctrl-C ends the wait. Communicators are closed at exit; as a context manager,
    earlier.

    Attributes:
        config: its settings.
        name: what traces call it.
        members: what its ranks are called in the whole job, in rank order.
    """

    def __init__(
        self,
        origin: _core.Bootstrap | _core.Reunion,
        config: Config,
        name: str = "job",
        members: Sequence[int] | None = None,
    ) -> None:
        super().__init__(
            origin,
            timeout=config.timeout,
            staging_bytes=config.staging_bytes,
            wait=config.wait,
            all_reduce_algorithm=config.all_reduce_algorithm,
            tuning=tuning.numbers_for(origin.size(), config.tuning),
        )
        self.config = config
        self.name = name
        self.members = tuple(members or range(self.size))
        _communicators[next(_numbers)] = self
        for observer in list(observers):
            observer(self)

    def empty(self, shape: SupportsIndex | Sequence[SupportsIndex], dtype: npt.DTypeLike = float) -> npt.NDArray[Any]:
        """An uninitialised array in symmetric memory, on which large collectives work without a copy.

        Each rank allocates what it likes, when it likes: this is no collective. The memory is reserved at once, in
        pages of 4 KiB, and given back with the last view of the array, which may outlive the communicator. Forked
        children do not inherit it.

        Args:
            shape: the number of elements, or a sequence of dimensions.
            dtype: any of numpy's that collectives take. For bfloat16 and float8, which numpy does not have, take words
                of their size, which torch can view as such: ``torch.from_numpy(words).view(torch.bfloat16)``.

        Raises:
            InvalidArgumentError: a dimension is negative, or collectives do not take the dtype.
            SystemCallError: there is not so much memory.
        """
        import numpy as np

        dimensions = tuple(map(index, shape if isinstance(shape, Sequence) else (shape,)))
        if any(dimension < 0 for dimension in dimensions):
            raise InvalidArgumentError(f"shape={dimensions}: expected no negative dimension")
        if isinstance(dtype, str) and dtype in _WORDS:
            words = f"take dtype={_WORDS[dtype]!r}, and view it as torch.{dtype} in torch"
            raise InvalidArgumentError(f"dtype={dtype!r} is not known to numpy; {words}")
        element = np.dtype(dtype)
        memory = self._allocate(math.prod(dimensions), element.name if element.isnative else element.str)
        return np.ndarray(dimensions, element, memory)  # type: ignore[arg-type]  # offers its memory, in C

    def all_reduce_top_k(
        self,
        array: npt.NDArray[np.float32],
        k: int,
        op: str = "sum",
        *,
        residual: npt.NDArray[np.float32] | None = None,
        timeout: float | None = None,
    ) -> None:
        """Replaces ``array`` by the sum of the few elements that each rank has of largest magnitude.

        Each rank sends k pairs of index and value, 8 bytes each; what others send of an element is added in rank order,
        and elements that nobody sends become 0. All ranks end with the same bits.

        Args:
            array: C-contiguous and writable, of dtype float32.
            k: how many elements a rank sends, the same on all ranks.
            op: "sum" or "avg".
            residual: of the array's dtype and number of elements, zeros at first: this rank's elements that were not
                sent. They are added to the array before its largest elements are looked for. An infinity or NaN is
                sent first, and not kept where it is not. After an error its content is undefined.
            timeout: as for all collectives.

        Raises:
            InvalidArgumentError: an argument is not as described. The other ranks get a MismatchError with the reason.
        """
        import numpy as np

        wrong = self._wrong_top_k(array, k, op, residual)
        if wrong:
            self._refuse(f"all_reduce_top_k: {wrong}")
            raise InvalidArgumentError(wrong)
        flat = array.reshape(-1)
        kept = np.zeros_like(flat) if residual is None else residual.reshape(-1)
        kept += flat
        pairs = np.empty((2, k), np.int32)
        _core.take_top_k(pairs[0], pairs[1].view(np.float32), kept)
        everyones = np.empty((self.size, *pairs.shape), np.int32)
        self.all_gather_into(everyones, pairs, timeout=timeout)
        flat[:] = 0
        for indices, values in everyones:
            _core.add_pairs(flat, indices, values.view(np.float32), 1 / self.size if op == "avg" else 1)

    @staticmethod
    def _wrong_top_k(array: Any, k: int, op: str, residual: Any) -> str | None:
        """What is wrong with the arguments of all_reduce_top_k, if anything is."""
        import numpy as np

        for name, value in (("array", array), ("residual", residual)):
            if value is None and name == "residual":
                continue
            if not isinstance(value, np.ndarray) or value.dtype != np.float32:
                found = f"dtype {value.dtype}" if isinstance(value, np.ndarray) else type(value).__name__
                return f"{name}: expected a numpy array of dtype float32, got {found}"
            if not value.flags.c_contiguous or not value.flags.writeable:
                return f"{name} is not C-contiguous and writable"
        if not 0 <= k <= array.size:
            return f"k={k}: expected 0 to {array.size}, the elements of the array"
        if op not in ("sum", "avg"):
            return f"op='{op}': expected sum or avg"
        if residual is not None and residual.size != array.size:
            return f"residual has {residual.size} elements; expected {array.size}, as many as the array"
        return None

    def all_gather(self, array: npt.ArrayLike, **options: Any) -> npt.NDArray[Any]:
        """Every rank's array, stacked.

        Args:
            array: of the same shape and dtype on all ranks.
            **options: ``timeout`` and ``algorithm``. For an asynchronous call use :meth:`all_gather_into`.

        Returns:
            An array of shape ``(size, *array.shape)``.
        """
        import numpy as np

        source = np.ascontiguousarray(array)
        gathered = np.empty((self.size, *np.shape(array)), source.dtype)
        self.all_gather_into(gathered, source, **options)
        return gathered

    def reduce_scatter(self, array: npt.ArrayLike, op: str = "sum", **options: Any) -> npt.NDArray[Any]:
        """This rank's block of the reduction of all ranks' arrays.

        Args:
            array: of the same shape and dtype on all ranks; its first dimension divides by ``size``.
            op: as for all_reduce.
            **options: ``scale``, ``timeout`` and ``algorithm``. For an asynchronous call use
                :meth:`reduce_scatter_into`.

        Returns:
            An array of shape ``(array.shape[0] // size, *array.shape[1:])``.

        Raises:
            ValueError: the first dimension does not divide by ``size``.
        """
        import numpy as np

        source = self._blocks(array)
        block: npt.NDArray[Any] = np.empty((source.shape[0] // self.size, *source.shape[1:]), source.dtype)
        self.reduce_scatter_into(block, source, op, **options)
        return block

    def gather(self, array: npt.ArrayLike, root: int = 0, **options: Any) -> npt.NDArray[Any] | None:
        """Every rank's array, stacked, on the root.

        Args:
            array: of the same shape and dtype on all ranks.
            root: the rank that gets them.
            **options: ``timeout`` and ``algorithm``. For an asynchronous call use :meth:`gather_into`.

        Returns:
            An array of shape ``(size, *array.shape)``; None on the other ranks.
        """
        import numpy as np

        source = np.ascontiguousarray(array)
        gathered = np.empty((self.size, *np.shape(array)), source.dtype) if self.rank == root else None
        self.gather_into(gathered, source, root, **options)
        return gathered

    def scatter(self, array: npt.ArrayLike | None, root: int = 0, **options: Any) -> npt.NDArray[Any]:
        """This rank's part of the root's array.

        The others learn its shape and dtype from a broadcast; :meth:`scatter_into` does without, and can be
        asynchronous.

        Args:
            array: on the root, of shape ``(size, ...)``; None on the others.
            root: the rank that has the array.
            **options: ``timeout`` and ``algorithm``.

        Returns:
            An array of shape ``array.shape[1:]``.

        Raises:
            ValueError: on all ranks: the first dimension of the root's array is not ``size``.
        """
        import numpy as np

        source = np.ascontiguousarray(array) if self.rank == root else None
        description = np.zeros(_DESCRIPTION_BYTES, np.uint8)
        if source is not None:
            text = json.dumps([source.dtype.str, source.shape]).encode()
            description[: len(text)] = np.frombuffer(text, np.uint8)
        self.broadcast(description, root, **{key: options[key] for key in options if key == "timeout"})
        dtype, shape = json.loads(description.tobytes().rstrip(b"\0"))
        if not shape or shape[0] != self.size:
            raise ValueError(f"array has shape {tuple(shape)}; its first dimension must be {self.size}, the ranks")
        block: npt.NDArray[Any] = np.empty(shape[1:], np.dtype(dtype))
        self.scatter_into(block, source, root, **options)
        return block

    def all_to_all(self, array: npt.ArrayLike, **options: Any) -> npt.NDArray[Any]:
        """Block j of every rank's array, on rank j.

        Args:
            array: of the same shape and dtype on all ranks; its first dimension divides by ``size``, into a block for
                each rank.
            **options: ``timeout`` and ``algorithm``. For an asynchronous call, or blocks that differ in size, use
                :meth:`all_to_all_into`.

        Returns:
            An array of the same shape, whose block i is from rank i.

        Raises:
            ValueError: the first dimension does not divide by ``size``.
        """
        import numpy as np

        source = self._blocks(array)
        exchanged = np.empty_like(source)
        self.all_to_all_into(exchanged, source, **options)
        return exchanged

    def _blocks(self, array: npt.ArrayLike) -> npt.NDArray[Any]:
        """The array, contiguous. Raises ValueError unless its first dimension divides by ``size``."""
        import numpy as np

        source = np.ascontiguousarray(array)
        if np.ndim(array) == 0 or source.shape[0] % self.size != 0:
            reason = f"array has shape {np.shape(array)}; its first dimension must divide by {self.size} ranks"
            self._refuse(reason)
            raise ValueError(reason)
        return source

    def __enter__(self) -> Communicator:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        if not hasattr(self, "config"):  # as a debugger sees it, which shows what could not start
            return "<allred.Communicator that did not start>"
        return f"<allred.Communicator rank {self.rank} of {self.size}>"


def init(**settings: Any) -> Communicator:
    """A communicator of all processes that the launcher started: Open MPI, MPICH, Intel MPI, Slurm, torchrun, or none.

    Blocks until all of them have called it.

    Args:
        **settings: fields of :class:`Config`, which win over the environment.

    Raises:
        TimeoutError: not all ranks came within ``timeout`` seconds.
        UnsupportedError: the ranks are not on one host, or what the launcher needs is not installed.
        InvalidArgumentError: a setting is not known or out of range.
    """
    config = Config.from_environment(**settings)
    return Communicator(bootstrap_.from_launcher(launcher_.detect(), config.timeout), config)


@atexit.register
def _close_all() -> None:
    """Ends what is under way while the interpreter can still take part, and tells the peers."""
    for communicator in communicators():
        communicator.close()
