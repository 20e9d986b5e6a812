"""Times and rates as people write them: ``10us``, ``12.5GB/s``, ``100Gb/s``."""

from __future__ import annotations

import re

_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
# Bytes; those of networks count in powers of 1000, those with an i in powers of 1024, and a small b is a bit.
_BYTES: dict[str, float] = {
    f"{prefix}{infix}{unit}": float(base**power) / bits
    for power, prefix in enumerate(("", "K", "M", "G", "T"))
    for infix, base in (("", 1000), ("i", 1024))
    for unit, bits in (("B", 1), ("b", 8))
    if prefix or not infix
}
_QUANTITY = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*([a-zA-Z]*)")


def parse_seconds(text: str) -> float:
    """A length of time: a number with ``s``, ``ms``, ``us`` or ``ns``.

    Raises:
        ValueError: it is not one.
    """
    found = _QUANTITY.fullmatch(text.strip())
    if found is None or found[2] not in _SECONDS:
        raise ValueError(f"{text!r} is not a time such as 10us, 1.5ms or 200ns")
    return float(found[1]) * _SECONDS[found[2]]


def parse_rate(text: str) -> float:
    """Bytes a second: a number with ``GB/s``, ``MiB/s``, ``Gb/s`` (bits) and the like; more than 0.

    Raises:
        ValueError: it is not one.
    """
    quantity, slash, second = text.strip().rpartition("/")
    found = _QUANTITY.fullmatch(quantity)
    if found is None or (slash, second) != ("/", "s") or found[2] not in _BYTES or float(found[1]) == 0:
        raise ValueError(f"{text!r} is not a rate above 0 such as 12.5GB/s, 800MiB/s or 100Gb/s (bits)")
    return float(found[1]) * _BYTES[found[2]]


def format_seconds(seconds: float) -> str:
    """Three figures with the unit that suits: 0.00125 is ``1.25 ms``."""
    for unit, scale in _SECONDS.items():
        if seconds >= scale * 0.9995:
            return f"{_figures(seconds / scale)} {unit}"
    return f"{_figures(seconds * 1e9)} ns"


def format_rate(rate: float) -> str:
    """Three figures: 12.5e9 is ``12.5 GB/s``."""
    return f"{format_bytes(rate)}/s"


def format_bytes(number: float) -> str:
    """Three figures, in powers of 1000: 1048576 is ``1.05 MB``."""
    for unit in ("TB", "GB", "MB", "KB"):
        if number >= _BYTES[unit] * 0.9995:
            return f"{_figures(number / _BYTES[unit])} {unit}"
    return f"{_figures(number)} B"


def _figures(value: float) -> str:
    return f"{value:.0f}" if value >= 99.95 else f"{value:.3g}"
