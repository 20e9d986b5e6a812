"""Makes calls until one fails, and says how. Arguments: algorithm, elements, timeout in seconds."""

from __future__ import annotations

import numpy as np
from start import argument, communicator, say, say_error

import allred

algorithm, count, timeout = argument(1, "auto"), int(argument(2, "100")), float(argument(3, "30"))
comm = communicator(timeout)
array = np.zeros(count, np.float32)
comm.all_reduce(array, algorithm=algorithm)
say(started=True)
try:
    while True:
        comm.all_reduce(array, algorithm=algorithm)
except (allred.Error, KeyboardInterrupt) as error:
    say_error(error)
