"""The pool of rank processes, for all tests of this folder."""

from rank_pool.pool import ranks

__all__ = ["ranks"]
