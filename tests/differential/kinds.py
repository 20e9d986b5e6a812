"""The kinds of calls, and the dtypes and operators of each.

Reduced are the dtypes that Gloo reduces. Those that it cannot even move (int16, complex, float8, ...) are moved all the
same, and Gloo is then given the bytes. Not in here: sums of bool, which leave bytes other than 0 and 1 with Gloo, and
averages of integers, which both refuse.
"""

from __future__ import annotations

REDUCING = {
    "all_reduce": 12,  # how often, in relation to the others
    "all_reduce_coalesced": 3,
    "all_reduce_sparse": 1,
    "reduce": 5,
    "reduce_scatter": 5,
    "reduce_scatter_tensor": 5,
}
MOVING = {
    "broadcast": 6,
    "all_gather": 5,
    "all_gather_into_tensor": 5,
    "gather": 4,
    "scatter": 4,
    "all_to_all": 4,
    "all_to_all_single": 6,
}
MESSAGES = {"send_recv": 4, "isend_irecv": 4, "batch_isend_irecv": 4, "recv_any_source": 3}
OBJECTS = {
    "all_gather_object": 1,
    "broadcast_object_list": 1,
    "scatter_object_list": 1,
    "gather_object": 1,
    "send_object_list": 1,
}
ALL = {**REDUCING, **MOVING, **MESSAGES, **OBJECTS, "barrier": 2}

ROOTED = {
    "reduce",
    "broadcast",
    "gather",
    "scatter",
    "recv_any_source",
    "broadcast_object_list",
    "scatter_object_list",
    "gather_object",
    "send_object_list",
}
SYNCHRONOUS = {"send_recv", "recv_any_source", *OBJECTS}
BETWEEN_RANKS = {*MESSAGES, "send_object_list"}  # pointless in a group of one

FLOATS = ("float32", "float64", "float16", "bfloat16")
INTEGERS = ("int8", "uint8", "int32", "int64")
REDUCED = (*FLOATS, *INTEGERS, "bool")
ONLY_MOVED = ("int16", "uint16", "uint32", "complex64", "complex128", "float8_e4m3fn", "float8_e5m2")
MOVED = (*REDUCED, *ONLY_MOVED)

BITWISE = ("band", "bor", "bxor")
ROUNDED = ("sum", "avg", "product")  # what floats may differ in


def ops(dtype: str) -> tuple[str, ...]:
    if dtype in FLOATS:
        return ("sum", "product", "min", "max", "avg")
    return ("product", "min", "max", *BITWISE) if dtype == "bool" else ("sum", "product", "min", "max", *BITWISE)
