"""gRPC's own interoperability client judges our servers: all its cases that need no credentials of a cloud."""
from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from .grpc_testing.async_service import AsyncService
from .grpc_testing.plain_service import PlainService
from .judges import Judges
from .serving import asyncio_server, blocking_server

pytestmark = pytest.mark.go

CASES = [
    "empty_unary", "large_unary",
    "client_streaming", "server_streaming", "ping_pong", "empty_stream",
    "timeout_on_sleeping_server", "cancel_after_begin", "cancel_after_first_response",
    "status_code_and_message", "special_status_message", "custom_metadata",
    "unimplemented_method", "unimplemented_service",
]
SECONDS = 30.0


@pytest.fixture(scope="module", params=["asyncio", "blocking"])
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    served = asyncio_server(AsyncService()) if request.param == "asyncio" else blocking_server(PlainService())
    with served as port:
        yield port


@pytest.mark.parametrize("case", CASES)
def test_the_official_client_is_content_with_our_server(judges: Judges, port: int, case: str) -> None:
    command = [judges.client, "-server_host=127.0.0.1", f"-server_port={port}", f"-test_case={case}"]

    ended = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)

    assert ended.returncode == 0, ended.stderr
