"""Each collective on buffers that the caller makes: a function for each form makes the call and checks the results."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import numpy as np
from reduce.reference import Array
from spec.buffers import Guarded, argument
from spec.cases import Call

import allred


class Make(Protocol):
    """Makes a buffer, ``"input"`` or ``"output"``."""

    def __call__(self, role: str, dtype: str, count: int) -> Guarded: ...


Form = Callable[[allred.Communicator, Call, Make, str], None]


def filled(make: Make, role: str, dtype: str, array: Array) -> Guarded:
    buffer = make(role, dtype, array.size)
    buffer.array[:] = array
    return buffer


def on_one_array(collective: str, comm: allred.Communicator, call: Call, make: Make, algorithm: str) -> None:
    own = call.inputs[comm.rank]
    buffer = filled(make, "input", call.dtype, own)
    options: dict[str, Any] = {} if collective == "broadcast" else call.op_options(comm.rank)
    if collective != "all_reduce":
        options["root"] = call.root
    getattr(comm, collective)(buffer.argument, algorithm=algorithm, **options)
    result = call.inputs[call.root] if collective == "broadcast" else call.expected
    buffer.check(own if collective == "reduce" and comm.rank != call.root else result)


def all_reduce_into(comm: allred.Communicator, call: Call, make: Make, algorithm: str) -> None:
    source = filled(make, "input", call.dtype, call.inputs[comm.rank])
    result = make("output", call.dtype, call.count)
    comm.all_reduce_into(result.argument, source.argument, algorithm=algorithm, **call.op_options(comm.rank))
    result.check(call.expected)
    source.check(call.inputs[comm.rank], "the input")


def gather(collective: str, comm: allred.Communicator, call: Call, make: Make, algorithm: str) -> None:
    source = filled(make, "input", call.dtype, call.inputs[comm.rank])
    options = {"root": call.root} if collective == "gather" else {}
    has_result = collective == "all_gather" or comm.rank == call.root
    result = make("output", call.dtype, call.count * comm.size if has_result else 0)
    getattr(comm, f"{collective}_into")(
        result.argument if has_result else None, source.argument, algorithm=algorithm, **options
    )
    result.check(np.concatenate(call.inputs) if has_result else call.expected[:0])
    source.check(call.inputs[comm.rank], "the input")


def gather_in_place(collective: str, comm: allred.Communicator, call: Call, make: Make, algorithm: str) -> None:
    """The input is the rank's own block of the output."""
    if collective == "gather" and comm.rank != call.root:
        gather(collective, comm, call, make, algorithm)
        return
    result = make("input", call.dtype, call.count * comm.size)
    block = result.array[comm.rank * call.count :][: call.count]
    block[:] = call.inputs[comm.rank]
    options = {"root": call.root} if collective == "gather" else {}
    getattr(comm, f"{collective}_into")(result.argument, argument(block, call.dtype), algorithm=algorithm, **options)
    result.check(np.concatenate(call.inputs))


def own_block(array: Array, comm: allred.Communicator) -> Array:
    return np.split(array, comm.size)[comm.rank]


def scatter_options(collective: str, comm: allred.Communicator, call: Call) -> dict[str, Any]:
    return {"root": call.root} if collective == "scatter" else call.op_options(comm.rank)


def scatter(collective: str, comm: allred.Communicator, call: Call, make: Make, algorithm: str) -> None:
    has_input = collective == "reduce_scatter" or comm.rank == call.root
    source = filled(make, "input", call.dtype, call.inputs[comm.rank][: None if has_input else 0])
    result = make("output", call.dtype, call.count // comm.size)
    options = scatter_options(collective, comm, call)
    getattr(comm, f"{collective}_into")(
        result.argument, source.argument if has_input else None, algorithm=algorithm, **options
    )
    whole = call.inputs[call.root] if collective == "scatter" else call.expected
    result.check(own_block(whole, comm))
    source.check(call.inputs[comm.rank][: source.array.size], "the input")


def scatter_in_place(collective: str, comm: allred.Communicator, call: Call, make: Make, algorithm: str) -> None:
    """The output is the rank's own block of the input."""
    if collective == "scatter" and comm.rank != call.root:
        scatter(collective, comm, call, make, algorithm)
        return
    source = filled(make, "input", call.dtype, call.inputs[comm.rank])
    block = own_block(source.array, comm)
    options = scatter_options(collective, comm, call)
    getattr(comm, f"{collective}_into")(argument(block, call.dtype), source.argument, algorithm=algorithm, **options)
    after = call.inputs[comm.rank].copy()
    own_block(after, comm)[:] = own_block(call.inputs[call.root] if collective == "scatter" else call.expected, comm)
    source.check(after)


def all_to_all(comm: allred.Communicator, call: Call, make: Make, algorithm: str) -> None:
    source = filled(make, "input", call.dtype, call.inputs[comm.rank])
    result = make("output", call.dtype, call.count)
    comm.all_to_all_into(result.argument, source.argument, algorithm=algorithm)
    result.check(np.concatenate([own_block(each, comm) for each in call.inputs]))
    source.check(call.inputs[comm.rank], "the input")


FORMS: dict[str, Form] = {
    "all_reduce": partial(on_one_array, "all_reduce"),
    "all_reduce_into": all_reduce_into,
    "broadcast": partial(on_one_array, "broadcast"),
    "reduce": partial(on_one_array, "reduce"),
    "all_gather": partial(gather, "all_gather"),
    "all_gather_in_place": partial(gather_in_place, "all_gather"),
    "gather": partial(gather, "gather"),
    "gather_in_place": partial(gather_in_place, "gather"),
    "reduce_scatter": partial(scatter, "reduce_scatter"),
    "reduce_scatter_in_place": partial(scatter_in_place, "reduce_scatter"),
    "scatter": partial(scatter, "scatter"),
    "scatter_in_place": partial(scatter_in_place, "scatter"),
    "all_to_all": all_to_all,
}
