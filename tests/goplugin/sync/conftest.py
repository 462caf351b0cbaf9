"""The servers that channels are tried on."""
from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from goplugin.sync.channel import Channel

from .echo_service import echo_service
from .support import calling, grpclib_server, ours


@pytest.fixture(scope="package")
def grpclib_path() -> Iterator[str]:
    with grpclib_server() as path:
        yield path


@pytest.fixture(params=["ours", "grpclib"])
def channel(request: pytest.FixtureRequest) -> Iterator[Channel]:
    """A channel to the echo service, on either server."""
    with contextlib.ExitStack() as stack:
        if request.param == "ours":
            _, path = stack.enter_context(ours(echo_service()))
        else:
            path = request.getfixturevalue("grpclib_path")
        yield stack.enter_context(calling(path))
