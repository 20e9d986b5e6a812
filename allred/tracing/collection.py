"""How the parts of all ranks come to the rank that writes the file."""

from __future__ import annotations

from collections.abc import Sequence

from allred.communicator import Communicator
from allred.tracing.part import Part


def collect(communicator: Communicator, parts: Sequence[Part]) -> list[Part]:
    """On rank 0 of the communicator the parts of all its ranks, on the others none. Collective over them.

    Raises:
        Error: a rank is gone, or made another call.
    """
    import numpy as np

    blob = np.frombuffer(b"\n".join(part.to_bytes() for part in parts), np.uint8)  # JSON on one line each
    sizes = communicator.all_gather(np.array([blob.size])).ravel()
    elsewhere = [0] * (communicator.size - 1)
    received = sizes.tolist() if communicator.rank == 0 else [0, *elsewhere]
    gathered = np.empty(sum(received), np.uint8)
    communicator.all_to_all_into(gathered, blob, input_counts=[blob.size, *elsewhere], output_counts=received)
    ends = np.cumsum(received)[:-1]
    return [Part.from_bytes(line) for each in np.split(gathered, ends) for line in each.tobytes().splitlines()]
