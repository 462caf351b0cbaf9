"""All targets by name, each with its seeds."""
from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from . import http2, lines, messages, mux


class Target(NamedTuple):
    """`run` takes any bytes; `seeds` are some that lead somewhere."""

    run: Callable[[bytes], None]
    seeds: list[bytes]


TARGETS = {
    name: Target(getattr(module, name), seeds)
    for module in (http2, lines, messages, mux)
    for name, seeds in module.SEEDS.items()
}
