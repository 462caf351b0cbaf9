"""What a blocking host has of a plugin, without its process: over sockets of this one."""
from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from goplugin.core.environ import PluginEnvironment
from goplugin.core.errors import PluginLostError
from goplugin.core.handshake import HandshakeLine
from goplugin.endpoint import Endpoint, HostCredentials
from goplugin.reach import Reach
from goplugin.sync.broker_plain import PlainBroker
from goplugin.sync.plugin_connection import PluginConnection, connect
from goplugin.sync.server import serve_on
from goplugin.sync.services import BrokerService
from goplugin.transport import listen

from .harness import cleanly, probe_config
from .support import SECONDS, UNARY, Note, Probe, text_of


def endpoint(path: str, *, multiplex: bool = False, directory: str | None = None) -> Endpoint:
    line = HandshakeLine(1, 1, "unix", path, "grpc", multiplex=multiplex)
    return Endpoint(line, HostCredentials(probe_config()), None, PluginEnvironment(socket_dir=directory))


@contextlib.contextmanager
def plugin(tmp_path: Path) -> Iterator[tuple[PluginConnection, PlainBroker]]:
    """A connection to a server with a broker, and that broker."""
    environment = PluginEnvironment(socket_dir=str(tmp_path))
    broker = PlainBroker(Reach(environment))
    with listen(environment) as listener:
        server = serve_on(listener.socket, [BrokerService(broker), Probe(lambda request, context: request)])
        connection = connect(endpoint(listener.address, directory=str(tmp_path)))
        try:
            yield connection, broker
        finally:
            connection.close()
            broker.close()
            server.stop(SECONDS)


@cleanly
def test_calls_and_endless_streams_go_over_connections_of_their_own(tmp_path: Path) -> None:
    with plugin(tmp_path) as (connection, _):
        assert connection.channel is not connection.output
        for channel in (connection.channel, connection.output):
            assert text_of(channel.unary(UNARY, Note(text="hello").SerializeToString()).message) == "hello"


@cleanly
def test_the_broker_is_made_when_it_is_asked_for_and_there_is_one(tmp_path: Path) -> None:
    with plugin(tmp_path) as (connection, other):
        assert connection.broker is connection.broker
        with (
            other.accept_and_serve(1, [Probe(lambda request, context: request)]),
            connection.broker.dial(1) as channel,
        ):
            assert text_of(channel.unary(UNARY, Note(text="hello").SerializeToString()).message) == "hello"


@cleanly
def test_after_the_end_there_is_no_broker(tmp_path: Path) -> None:
    with plugin(tmp_path) as (connection, _):
        broker = connection.broker
        connection.end_broker()

        with pytest.raises(PluginLostError, match="broker closed"):
            broker.dial(1)
        with pytest.raises(PluginLostError, match="broker closed"):
            _ = connection.broker
        assert connection.channel.unary(UNARY, b"").message == b""


@cleanly
def test_what_cannot_be_reached_says_so_at_every_call(tmp_path: Path) -> None:
    connection = connect(endpoint(f"{tmp_path}/none"))

    with pytest.raises(PluginLostError, match=r"dial unix .*/none: No such file or directory$"):
        connection.channel.unary(UNARY, b"")
    with pytest.raises(PluginLostError, match=r"dial unix .*/none: No such file or directory$"):
        _ = connection.broker
    connection.close()


@cleanly
def test_a_multiplexed_connection_to_nobody_fails_at_once(tmp_path: Path) -> None:
    with pytest.raises(PluginLostError, match=r"dial unix .*/none: No such file or directory$"):
        connect(endpoint(f"{tmp_path}/none", multiplex=True))
