"""Checkpoints: a folder with a file a shard, and a list of them that makes them one.

Every file is written under a name of its own and renamed when it is whole; the list is renamed last. So there is always
one checkpoint in the folder, the old one or the new one, however a process ends. It is read by any number of servers.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import BadZipFile

import numpy as np

from allred.errors import InvalidArgumentError
from allred.server.arrays import Array, Parameter
from allred.server.division import Piece, ShardLayout
from allred.server.shard import Contents

_FORMAT = 1
_LIST = "checkpoint.json"
_SHARDS = "shard-*.npz"
# numpy parses the header of an array as Python. Until gh-106905 was mended, CPython counted the depth of that for all
# threads together, and one that met another there got a SystemError; ranks can be threads.
_one_reader = threading.Lock()


def new_token() -> str:
    """What tells the files of one checkpoint from those of the one before."""
    return secrets.token_hex(4)


def write_shard(folder: Path, shard_idx: int, token: str, layout: ShardLayout, contents: Contents) -> str:
    """Writes a shard's file, and returns its name.

    Raises:
        OSError: it could not be written.
    """
    name = f"shard-{shard_idx:03d}-{token}.npz"
    index = {"step": contents.step, "pieces": [asdict(piece) for piece in layout.pieces]}
    arrays = {"index": np.frombuffer(json.dumps(index).encode(), np.uint8), "values": contents.values}
    for dtype, state in contents.state.items():
        arrays.update({f"state/{dtype}/{key}": array for key, array in state.items()})
    folder.mkdir(parents=True, exist_ok=True)
    _write_atomically(folder / name, lambda file: np.savez(file, **arrays))  # type: ignore[arg-type]
    return name


def commit(folder: Path, parameters: list[Parameter], names: list[str]) -> None:
    """Makes the shards' files the folder's checkpoint, and removes those of the one before.

    Raises:
        OSError: the list of them could not be written.
    """
    facts = {"format": _FORMAT, "parameters": [asdict(each) for each in parameters], "shards": names}
    text = json.dumps(facts, indent=1).encode()
    _write_atomically(folder / _LIST, lambda file: file.write(text))
    for path in folder.glob(_SHARDS):
        if path.name not in names:
            path.unlink(missing_ok=True)


class Checkpoint:
    """A checkpoint that is there to be read.

    Args:
        folder: where it lies.

    Raises:
        InvalidArgumentError: there is none, or none that can be read.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(folder)
        try:
            facts: dict[str, Any] = json.loads((self._folder / _LIST).read_text())
            if facts["format"] != _FORMAT:
                raise InvalidArgumentError(f"{self._folder} is a checkpoint of format {facts['format']}; expected 1")
            self.parameters = [
                Parameter(each["name"], each["dtype"], tuple(each["shape"])) for each in facts["parameters"]
            ]
            self._names: list[str] = facts["shards"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            if isinstance(error, InvalidArgumentError):
                raise
            raise InvalidArgumentError(
                f"path={str(folder)!r}: expected a checkpoint, a folder with {_LIST}: {error}"
            ) from error

    def read(self, layout: ShardLayout) -> Contents:
        """What a server needs that holds these pieces, out of the files of however many there were.

        Where those were updated a different number of times, as can be in asynchronous modes, the largest counts.

        Raises:
            InvalidArgumentError: a file cannot be read, or elements are in none.
        """
        contents = Contents(np.empty(layout.bytes, np.uint8))
        found = 0
        for name in self._names:
            try:
                with _one_reader, np.load(self._folder / name, allow_pickle=False) as file:
                    found += _read_overlap(file, layout, contents)
            except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
                raise InvalidArgumentError(f"{self._folder / name} cannot be read: {error}") from error
        if found != sum(piece.count for piece in layout.pieces):
            raise InvalidArgumentError(f"the checkpoint {self._folder} lacks elements of its parameters")
        return contents


def _read_overlap(file: Any, layout: ShardLayout, contents: Contents) -> int:
    """Takes over what a file has of the layout's elements; returns how many."""
    index = json.loads(file["index"].tobytes())
    contents.step = max(contents.step, index["step"])
    saved = {piece.name: piece for piece in (Piece(**each) for each in index["pieces"])}
    overlaps = [(piece, saved[piece.name]) for piece in layout.pieces if piece.name in saved]
    overlaps = [(new, old) for new, old in overlaps if _range(new, old)]
    if not overlaps:
        return 0
    values = file["values"]
    old_layout = ShardLayout(list(saved.values()))
    states = {key: file[key] for key in file.files if key.startswith("state/")}
    for new, old in overlaps:
        elements = _range(new, old)
        new.view(contents.values)[_within(new, elements)] = old.view(values)[_within(old, elements)]
        for key, array in states.items():
            _, dtype, name = key.split("/", 2)
            if dtype == new.dtype:
                target = _state(layout, contents, dtype, name, array.dtype)
                target[_within_section(layout, new, elements)] = array[_within_section(old_layout, old, elements)]
    return sum(len(_range(new, old)) for new, old in overlaps)


def _range(new: Piece, old: Piece) -> range:
    """The elements of their parameter that both have."""
    return range(max(new.offset, old.offset), min(new.offset + new.count, old.offset + old.count))


def _within(piece: Piece, elements: range) -> slice:
    return slice(elements.start - piece.offset, elements.stop - piece.offset)


def _within_section(layout: ShardLayout, piece: Piece, elements: range) -> slice:
    """Where elements of a piece lie in its section, of which states have the shape."""
    begin = next(section.begin for section in layout.sections if section.dtype == piece.dtype)
    first = (piece.begin - begin) // np.dtype(piece.dtype).itemsize
    part = _within(piece, elements)
    return slice(first + part.start, first + part.stop)


def _state(layout: ShardLayout, contents: Contents, dtype: str, name: str, element: np.dtype[Any]) -> Array:
    """The optimizer's array of that name; elements of which no file has a state begin with zeros."""
    section = next(each for each in layout.sections if each.dtype == dtype)
    state = contents.state.setdefault(dtype, {})
    if name not in state:
        state[name] = np.zeros(section.view(contents.values).size, element)
    return state[name]


def _write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    unfinished = path.with_name(f".{path.name}.{new_token()}")
    try:
        with unfinished.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # else the new name might not outlive the machine's end
        finally:
            os.close(folder)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
