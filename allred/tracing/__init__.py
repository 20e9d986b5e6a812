"""Timelines: what the collectives of all ranks did, and when, as files that Perfetto and chrome://tracing read."""

from allred.tracing.trace import Trace, trace

__all__ = ["Trace", "trace"]
