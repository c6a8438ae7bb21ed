"""Which other files an ONNX graph reads, found without loading it: a hostile one must not read outside its folder.

ONNX is a Protocol Buffers message. A tensor may keep its data in another file, named by a `location` entry; this
walks only the fields that lead to tensors. Field numbers are those of onnx.proto3.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from retrieval.errors import ModelError

_MAX_DEPTH = 40
_PATHS: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
}


def external_files(graph: Path) -> frozenset[str]:
    """Names of the files beside `graph` that hold its tensors' data.

    Raises ModelError if the file is not an ONNX model, or names a file anywhere but in its own folder.
    """
    try:
        data = np.memmap(graph, dtype=np.uint8, mode="r").data
        names = frozenset(_walk(data, "model", 0))
    except (OSError, ValueError, IndexError) as error:
        raise ModelError(f"{graph} is not a readable ONNX model ({error}); export the model again.") from None
    for name in names:
        if name != Path(name).name or name in {"", ".", ".."} or "\\" in name:
            raise ModelError(f"{graph} reads {name!r}, a file outside its own folder; do not use this model.")
        if (graph.parent / name).is_symlink():
            raise ModelError(f"{graph} reads {name!r}, which is a symbolic link; copy the file itself into the folder.")
    return names


def _walk(data: memoryview, kind: str, depth: int) -> Iterator[str]:
    if depth > _MAX_DEPTH:
        raise ValueError("its graph is nested too deeply")
    for number, value in _fields(data):
        child = _PATHS[kind].get(number)
        if child == "entry":
            yield from _location(value)
        elif child is not None:
            yield from _walk(value, child, depth + 1)


def _location(entry: memoryview) -> Iterator[str]:
    pair = {number: bytes(value) for number, value in _fields(entry)}
    if pair.get(1) == b"location":
        yield pair.get(2, b"").decode("utf-8")


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """The length-delimited fields of a message; the others cannot hold a tensor and are stepped over."""
    position, end = 0, len(data)
    while position < end:
        key, position = _varint(data, position)
        match key & 7:
            case 0:
                _, position = _varint(data, position)
            case 1:
                position += 8
            case 5:
                position += 4
            case 2:
                size, position = _varint(data, position)
                if position + size > end:
                    raise ValueError("a field runs past the end of the file")
                yield key >> 3, data[position : position + size]
                position += size
            case other:
                raise ValueError(f"wire type {other} is not one of ONNX's")


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise ValueError("a number is longer than 64 bits")
