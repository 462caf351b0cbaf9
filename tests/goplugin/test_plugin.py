"""What a plugin finds on the server that it registers its services on."""
from __future__ import annotations

import functools

import pytest

from goplugin import ConfigError, GRPCPlugin, GRPCServer
from goplugin.aio.broker_mux import MultiplexedBroker as AsyncMultiplexedBroker
from goplugin.aio.broker_plain import PlainBroker as AsyncPlainBroker
from goplugin.core.environ import PluginEnvironment
from goplugin.credentials import credentials
from goplugin.plugin import is_coroutine
from goplugin.server import _new_server
from goplugin.sync.broker_mux import MultiplexedBroker
from goplugin.sync.broker_plain import PlainBroker
from tests.support import requirement

PLAIN = PluginEnvironment()
MULTIPLEXED = PluginEnvironment(multiplex=True, multiplex_field=True)


def server_for(environment: PluginEnvironment = PLAIN) -> GRPCServer:
    return _new_server(environment, credentials(environment, None, None))


@requirement("gp.broker.plain", "gp.broker.mux")
@pytest.mark.parametrize(
    ("environment", "asynchronous", "blocking"),
    [(PLAIN, AsyncPlainBroker, PlainBroker), (MULTIPLEXED, AsyncMultiplexedBroker, MultiplexedBroker)],
    ids=["plain", "multiplexed"],
)
def test_the_broker_is_of_the_mode_that_the_host_wants(
    environment: PluginEnvironment, asynchronous: type, blocking: type
) -> None:
    assert isinstance(server_for(environment).broker, asynchronous)
    assert isinstance(server_for(environment).sync_broker, blocking)


def test_the_plugins_of_a_set_share_one_broker() -> None:
    first, second = server_for(), server_for()

    assert first.broker is first.broker
    assert second.sync_broker is second.sync_broker


def test_a_plugin_takes_the_broker_of_one_runtime() -> None:
    first, second = server_for(), server_for()
    assert first.broker
    assert second.sync_broker

    with pytest.raises(ConfigError, match="sync_broker is for plain methods, and this plugin is served by asyncio"):
        assert first.sync_broker
    with pytest.raises(ConfigError, match="broker is for coroutines, and this plugin is served by the blocking"):
        assert second.broker


def test_what_a_plugin_does_not_implement_is_named() -> None:
    class Nothing(GRPCPlugin):
        pass

    with pytest.raises(NotImplementedError, match="Nothing cannot be served: it does not implement grpc_server"):
        Nothing().grpc_server(server_for())


def test_a_coroutine_function_is_one_with_some_arguments_given_as_well() -> None:
    async def coroutine(number: int) -> None:
        pass

    assert is_coroutine(coroutine)
    assert is_coroutine(functools.partial(coroutine, 1))
    assert not is_coroutine(functools.partial(print, 1))
    assert not is_coroutine(None)
