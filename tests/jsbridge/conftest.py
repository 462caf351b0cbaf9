"""Fixtures for the tests of the JavaScript bridge."""
from __future__ import annotations

from collections.abc import Iterator

import pytest

from .scripts import Session


@pytest.fixture
def session() -> Iterator[Session]:
    session = Session()
    with session.engine:
        yield session
