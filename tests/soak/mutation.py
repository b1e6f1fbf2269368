"""Damage to files, reproducible from a random generator."""

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

WEIRD: Sequence[Any] = (
    None, True, -1, 0, 1, 2**31, 2**63, -(2**63), 10**30, 0.5, -0.0, 1e308, float("nan"), float("inf"), "",
    "x", "\u202e", "\ud800", "a" * 5000, [], {}, [[]], [None], {"a": 1}, "0/0", "../../etc/passwd",
)  # fmt: skip


def mutated_bytes(data: bytes, rng: random.Random) -> bytes:
    """One to three kinds of damage to any file."""
    for _ in range(rng.randint(1, 3)):
        data = rng.choice(_BYTE_DAMAGE)(data, rng)
    return data


def mutated_json(data: bytes, rng: random.Random) -> bytes:
    """One to three changes inside a JSON document (or in one line of JSON lines), or damage to its bytes."""
    if rng.random() < 0.2:
        return mutated_bytes(data, rng)
    lines = data.decode().splitlines() if _is_lines(data) else [data.decode()]
    index = rng.randrange(len(lines))
    document = json.loads(lines[index])
    for _ in range(rng.randint(1, 3)):
        document = _change(document, rng)
    lines[index] = json.dumps(document)
    ending = "\n" if data.endswith(b"\n") else ""
    return ("\n".join(lines) + ending).encode()


def _is_lines(data: bytes) -> bool:
    return data.count(b"\n{") > 0 and data.startswith(b"{")


def _change(document: Any, rng: random.Random) -> Any:
    """Change one random place: another value, a missing key, an item twice or not at all."""
    places = _places(document)
    if not places:
        return rng.choice(WEIRD)
    parent, key = rng.choice(places)
    kind = rng.randrange(5)
    if kind <= 2:
        parent[key] = rng.choice(WEIRD)
    elif kind == 3 and isinstance(parent, list):
        parent.insert(key, parent[key])
    else:
        del parent[key]
    return document


def _places(document: Any, depth: int = 0) -> list[tuple[Any, Any]]:
    if depth > 8:
        return []
    keys = (
        list(document)
        if isinstance(document, dict)
        else range(len(document))
        if isinstance(document, list)
        else []
    )
    here = [(document, key) for key in keys]
    return here + [place for key in keys for place in _places(document[key], depth + 1)]


def _flip_bits(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 4, 32)) if changed else 0):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _flip_bits_of_header(data: bytes, rng: random.Random) -> bytes:
    return _flip_bits(data[:512], rng) + data[512:]


def _cut_off(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randint(0, len(data))]


def _remove(data: bytes, rng: random.Random) -> bytes:
    start, length = _span(data, rng)
    return data[:start] + data[start + length :]


def _repeat(data: bytes, rng: random.Random) -> bytes:
    start, length = _span(data, rng)
    return data[: start + length] + data[start:]


def _zero(data: bytes, rng: random.Random) -> bytes:
    start, length = _span(data, rng)
    return data[:start] + bytes(length) + data[start + length :]


def _noise(data: bytes, rng: random.Random) -> bytes:
    start, length = _span(data, rng)
    return data[:start] + rng.randbytes(length) + data[start + length :]


def _span(data: bytes, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(data) + 1)
    return start, min(rng.choice((1, 4, 16, 256, 4096)), len(data) - start)


_BYTE_DAMAGE: Sequence[Callable[[bytes, random.Random], bytes]] = (
    _flip_bits, _flip_bits_of_header, _cut_off, _remove, _repeat, _zero, _noise,
)  # fmt: skip
