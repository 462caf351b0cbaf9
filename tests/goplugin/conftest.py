"""What the tests of this package share."""
from __future__ import annotations

import pytest

from goplugin.core import broker


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that waits five seconds waits a tenth of one."""
    monkeypatch.setattr(broker, "PENDING_SECONDS", 0.1)
