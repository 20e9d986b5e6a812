"""``allred bench``: collectives of allred and of its peers, in the same processes, on the same buffers, taking turns.

How a figure comes about:

* Each rank is one process that holds every library: an allred communicator, torch process groups, ``MPI_COMM_WORLD``.
* For each size, and for each library, calls are made until as many are known as fill a *block* of time. Then blocks
  of the libraries alternate, A B C A B C, so that a change of the machine's state meets all of them alike.
* A block is back-to-back calls between two readings of the clock, begun together after a barrier. Its time a call is
  that of the slowest rank; the figure is the median over blocks.
* Every block is checked. The buffers the timed calls leave behind are compared, element by element, with what they
  must hold; then they are filled with fresh pseudo-random integers, which all types sum without rounding, and one
  more call on them is compared likewise. ``#wrong`` is the number of elements that differed, over all ranks.
* A call in place changes its own input, so that the sum of repeated calls would grow beyond any type. Where repeating
  a call does not leave its result as it is, the timed calls work on the op's identity (zeros for sum), which does.
* Python's cost of a call is part of the time, as it is part of what a Python program gets.
* The time of ``Communicator.barrier`` stands beside each size, before and after: it tells whether the cores share a
  cache at that moment. Where it moved by more than half, the size is marked as unstable.
"""
