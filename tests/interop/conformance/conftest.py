"""The programs of the conformance suite, each started when the first test needs it."""
from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Callable, Iterator

import pytest

from ..gopeers import GoPeers
from .driver import Caller, Certificate, Server, Stack


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate made for this run."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    directory = tmp_path_factory.mktemp("tls")
    made = Certificate(str(directory / "certificate.pem"), str(directory / "key.pem"))
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    files = ("-keyout", made.key, "-out", made.certificate)
    command = ["openssl", "req", "-x509", *curve, "-nodes", "-days", "2", *names, *files]
    subprocess.run(command, check=True, capture_output=True)
    return made


@pytest.fixture(scope="session")
def stack_server(request: pytest.FixtureRequest, certificate: Certificate) -> Iterator[Callable[[Stack], Server]]:
    """The running server of a stack."""
    servers: dict[Stack, Server] = {}
    with contextlib.ExitStack() as stack_of_servers:

        def start(stack: Stack) -> Server:
            if stack not in servers:
                server = servers[stack] = Server(stack.command(lambda: go_peers(request)), certificate)
                stack_of_servers.callback(server.close)
            return servers[stack]

        yield start


@pytest.fixture(scope="session")
def stack_client(request: pytest.FixtureRequest) -> Iterator[Callable[[Stack], Caller]]:
    """The running client of a stack."""
    callers: dict[Stack, Caller] = {}
    with contextlib.ExitStack() as stack_of_callers:

        def start(stack: Stack) -> Caller:
            if stack not in callers:
                caller = callers[stack] = Caller(stack.command(lambda: go_peers(request)))
                stack_of_callers.callback(caller.close)
            return callers[stack]

        yield start


def go_peers(request: pytest.FixtureRequest) -> GoPeers:
    return request.getfixturevalue("go")
