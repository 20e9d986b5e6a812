"""Tables and progress bars are rich's, which those who only use the library need not have."""

from __future__ import annotations

from importlib.util import find_spec

from allred.cli.errors import UsageError


def require_rich() -> None:
    """Raises UsageError, which says what to install, where rich is not."""
    if find_spec("rich") is None:
        raise UsageError("it prints with rich, which is not installed: pip install 'allred[bench]'")
