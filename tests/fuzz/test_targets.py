"""Every target holds for its seeds, for all beginnings of them, and for a few bytes that nobody chose."""
from __future__ import annotations

import random

import pytest

from .targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_the_seeds_of_a_target_are_taken(name: str) -> None:
    for seed in TARGETS[name].seeds:
        for size in range(len(seed) + 1):
            TARGETS[name].run(seed[:size])


@pytest.mark.parametrize("name", TARGETS)
def test_any_bytes_are_taken(name: str) -> None:
    dice = random.Random(name)
    for _ in range(300):
        TARGETS[name].run(dice.randbytes(dice.randrange(200)))
