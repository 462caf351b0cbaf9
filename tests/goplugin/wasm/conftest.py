"""Both machines take the tests that ask for `machine`; the others take the fast one."""
from __future__ import annotations

import pytest

from goplugin.wasm import fast


@pytest.fixture(params=["fast", "plain"])
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "plain":
        monkeypatch.setattr(fast, "available", lambda: False)
    return request.param
