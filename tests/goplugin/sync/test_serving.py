"""Serving in the test's own process; what plugin processes do is in ../test_server.py."""
from __future__ import annotations

import contextlib
import os
import sys
import threading
from pathlib import Path

import pytest

from goplugin.core.errors import ConfigError, PluginLostError
from goplugin.core.messages import SHUTDOWN_PATH, STREAM_STDIO_PATH
from goplugin.core.reattach import ReattachConfig
from goplugin.plugin import GRPCPlugin, GRPCServer, Method, Streams
from goplugin.sync import ServeConfig, channel_to, serve_test
from tests.support import requirement

from ..harness import SECONDS, nothing_left_behind
from ..plugins.contract import ECHO_PATH, HANDSHAKE, Text


class Echo:
    def __mapping__(self) -> dict[str, Method]:
        return {ECHO_PATH: Method(self.echo, Streams(), Text, Text)}

    def echo(self, request: Text, context: object) -> Text:
        return request


class EchoPlugin(GRPCPlugin):
    def grpc_server(self, server: GRPCServer) -> None:
        server.add_service(Echo())


CONFIG = ServeConfig(handshake=HANDSHAKE._replace(protocol_version=3), plugins={"probe": EchoPlugin()})


def call(reattach: ReattachConfig, path: str, message: bytes = b"") -> bytes | None:
    with contextlib.closing(channel_to(reattach.network, reattach.address)) as channel:
        return channel.unary(path, message, timeout=SECONDS).message


@requirement("gp.test-mode")
def test_a_test_reaches_what_it_serves_itself() -> None:
    with nothing_left_behind(), serve_test(CONFIG) as reattach:
        assert reattach == ReattachConfig(
            "unix", reattach.address, os.getpid(), protocol="grpc", protocol_version=3, test=True
        )
        assert call(reattach, ECHO_PATH, b"hello") == b"hello"


@requirement("gp.test-mode")
def test_at_the_end_nobody_listens_any_more() -> None:
    with serve_test(CONFIG) as reattach:
        assert Path(reattach.address).exists()

    assert not Path(reattach.address).exists()
    with pytest.raises(PluginLostError):
        call(reattach, ECHO_PATH)


@requirement("gp.test-mode")
def test_a_shutdown_is_told_and_ends_nothing_before_the_context_does() -> None:
    shutdown = threading.Event()
    with serve_test(CONFIG, on_shutdown=shutdown.set) as reattach:
        assert not shutdown.is_set()
        call(reattach, SHUTDOWN_PATH)

        assert shutdown.wait(SECONDS)
        assert call(reattach, ECHO_PATH, b"still here") == b"still here"


@requirement("gp.test-mode")
def test_what_the_test_prints_stays_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    stderr = sys.stderr
    with serve_test(CONFIG) as reattach, contextlib.closing(channel_to(reattach.network, reattach.address)) as channel:
        stream = channel.open(STREAM_STDIO_PATH)
        stream.send(b"", end=True)
        print("to the terminal")
        assert sys.stderr is stderr
        call(reattach, SHUTDOWN_PATH)
        assert list(stream) == []

    assert capfd.readouterr().out == "to the terminal\n"


@requirement("gp.test-mode")
def test_a_failing_test_ends_what_it_serves() -> None:
    with nothing_left_behind(), pytest.raises(ZeroDivisionError), serve_test(CONFIG):
        raise ZeroDivisionError


def test_a_broker_for_coroutines_is_refused() -> None:
    class AsyncPlugin(GRPCPlugin):
        def grpc_server(self, server: GRPCServer) -> None:
            assert server.broker

    with (
        pytest.raises(ConfigError, match="broker is for coroutines"),
        serve_test(CONFIG._replace(plugins={"probe": AsyncPlugin()})),
    ):
        pass
