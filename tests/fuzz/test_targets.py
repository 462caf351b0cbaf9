"""Every target holds for its seeds, for all beginnings of them, and for a few bytes that nobody chose."""
from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from .targets import TARGETS, Target


def findings(target: Target, inputs: Iterable[bytes]) -> dict[bytes, Exception]:
    """The inputs that a target does not take, with what it raises."""
    found: dict[bytes, Exception] = {}
    for data in inputs:
        try:
            target.run(data)
        except Exception as error:  # noqa: BLE001 - the border: whatever a machine raises is what is looked for
            found[data] = error
    return found


@pytest.mark.parametrize("name", TARGETS)
def test_the_seeds_of_a_target_are_taken(name: str) -> None:
    target = TARGETS[name]

    assert findings(target, (seed[:size] for seed in target.seeds for size in range(len(seed) + 1))) == {}


@pytest.mark.parametrize("name", TARGETS)
def test_any_bytes_are_taken(name: str) -> None:
    dice = random.Random(name)

    assert findings(TARGETS[name], (dice.randbytes(dice.randrange(200)) for _ in range(300))) == {}


def test_what_a_target_raises_is_a_finding() -> None:
    def run(data: bytes) -> None:
        assert data != b"b"

    assert list(findings(Target(run, []), [b"a", b"b", b"c"])) == [b"b"]
