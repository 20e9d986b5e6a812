"""Message sizes as people write them."""

from __future__ import annotations

import pytest

from allred.cli.sizes import format_size, parse_sizes


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("4:32", (4, 8, 16, 32)),
        ("4:256:4", (4, 16, 64, 256)),
        ("1K,3m,5", (1 << 10, 3 << 20, 5)),
        ("4:10", (4, 8)),
        ("8,4:16", (8, 4, 16)),
        ("1G", (1 << 30,)),
    ],
)
def test_sizes(text: str, sizes: tuple[int, ...]) -> None:
    assert parse_sizes(text) == sizes


@pytest.mark.parametrize("text", ["", "x", "4:", "4:2", "4:8:1", "0:8", "4:8:2:2", "-4", "4KB", "4,,8"])
def test_malformed_sizes(text: str) -> None:
    with pytest.raises(ValueError, match=r"^'.*'(: expected | is not a size)"):
        parse_sizes(text)


@pytest.mark.parametrize(("size", "text"), [(0, "0"), (4, "4"), (1025, "1025"), (65536, "64K"), (3 << 30, "3G")])
def test_format_size(size: int, text: str) -> None:
    assert format_size(size) == text
