"""Message sizes as people write them: ``4:256M``, ``4:256M:4``, ``1K,3M``."""

from __future__ import annotations

import re

_SUFFIXES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_SIZE = re.compile(r"(\d+)([KMG]?)", re.IGNORECASE)


def parse_size(text: str) -> int:
    """Bytes; the suffixes K, M and G count in powers of 1024.

    Raises:
        ValueError: it is not a number with at most one suffix.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not a size in bytes such as 4, 64K, 256M or 1G")
    return int(found[1]) * _SUFFIXES[found[2].upper()]


def parse_sizes(text: str) -> tuple[int, ...]:
    """The sizes that a comma-separated list of sizes and ranges ``FIRST:LAST[:FACTOR]`` means, in its order.

    A range holds FIRST, FIRST * FACTOR, ... up to LAST, where FACTOR is 2 unless given.

    Raises:
        ValueError: the message says which part is wrong.
    """
    return tuple(dict.fromkeys(size for part in text.split(",") for size in _parse_part(part)))


def _parse_part(text: str) -> list[int]:
    first, *rest = text.split(":")
    size = parse_size(first)
    if not rest:
        return [size]
    if len(rest) > 2:
        raise ValueError(f"{text!r}: expected FIRST:LAST or FIRST:LAST:FACTOR")
    last, factor = parse_size(rest[0]), parse_size(rest[1]) if len(rest) == 2 else 2
    if size < 1 or last < size or factor < 2:
        raise ValueError(f"{text!r}: expected 1 <= FIRST <= LAST and FACTOR >= 2")
    sizes = []
    while size <= last:
        sizes.append(size)
        size *= factor
    return sizes


def format_size(size: int) -> str:
    """The shortest exact form: 65536 is 64K."""
    for suffix in "GMK":
        if size and size % _SUFFIXES[suffix] == 0:
            return f"{size // _SUFFIXES[suffix]}{suffix}"
    return str(size)
