"""pytest-benchmark's fixture with the types that it does not state itself."""
from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar

__all__ = ["Benchmark"]

P = ParamSpec("P")
T = TypeVar("T")


class Benchmark(Protocol):
    """What a test gets as `benchmark`: calling it measures a function, and returns what the function returned."""

    extra_info: dict[str, object]

    def __call__(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T: ...

    def pedantic(
        self,
        target: Callable[[], T],
        *,
        teardown: Callable[[], object] | None = None,
        rounds: int,
        warmup_rounds: int,
    ) -> T: ...
