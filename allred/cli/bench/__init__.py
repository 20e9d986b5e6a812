"""``allred bench``: collectives of allred and of its peers, which take turns in one run.

Who does what:

* A *job* is a set of rank processes that know each other. One, the local job, holds every library that can live in one
  process: an allred communicator, torch process groups, Open MPI, and the machine's floors. A library that brings an
  MPI of its own has a job of its own.
* The *conductor* (``conductor.py``) tells the ranks of all jobs what to do, over a unix socket. A rank that has nothing
  to do sleeps in a read from it (``rank.py``), so that a job that is measured has the machine for itself. A rank that
  dies or falls silent ends the run, with what it had to say.
* Started by no launcher, the command starts the ranks; started by one, it joins the job, and the conductor is a thread
  of rank 0, which sleeps, too, while something is timed.

How a figure comes about:

* For each size, and for each *line* (a library, in a kind of memory, in or out of place), calls are made until as many
  are known as fill a *block* of time. Then blocks of the lines alternate, A B C A B C, so that a change of the
  machine's state meets all of them alike.
* A block is back-to-back calls between two readings of the clock, begun together after a barrier of the library that is
  measured. Its time a call is that of the slowest rank; the figure is the median over blocks, and percentiles are over
  blocks, too.
* Of send_recv, which goes on between pairs of ranks, a call is a message there and one back, and a time half of that.
* Every block is checked. The buffers the timed calls leave behind are compared, element by element, with what they
  must hold; then they are filled with fresh pseudo-random integers, which all types sum without rounding, and one
  more call on them is compared likewise. ``#wrong`` is the number of elements that differed, over all ranks.
* A call in place changes its own input, so that the sum of repeated calls would grow beyond any type. Where repeating
  a call does not leave its result as it is, the timed calls work on data which it does: for sum, zeros.
* Python's cost of a call is part of the time, as it is part of what a Python program gets.
* The time of ``Communicator.barrier`` stands beside each size, before and after: it tells whether the cores share a
  cache at that moment. Where it moved by more than half, the size is marked as unstable.
* Where ranks have a core each, the time of a flag to another core and back is taken before and after each block of the
  local job, and kept with it (``flags_us``): so the blocks of one state can be told from those of the other.
"""
