"""Two brokers over a real connection, in either mode, and what they serve to each other."""
from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

from goplugin.aio import Channel
from goplugin.aio.broker import Broker
from goplugin.aio.broker_mux import MultiplexedBroker, accept_session, connect_session
from goplugin.aio.broker_plain import PlainBroker
from goplugin.aio.plugin_server import PluginServer
from goplugin.aio.services import BrokerService
from goplugin.core.environ import PluginEnvironment
from goplugin.reach import Reach
from goplugin.transport import listen

from ..broker_support import NO_TLS, Contexts, Pair
from .support import Note, Probe, ProbeStub

__all__ = [
    "CONNECTED", "SECONDS",
    "Connected", "call", "echo", "has_asked", "multiplexed", "named", "plain", "wait_until",
]

SECONDS = 20.0

Connected = Callable[..., contextlib.AbstractAsyncContextManager[Pair]]


def only_the_broker(plugin: Broker) -> list[Any]:
    return [BrokerService(plugin)]


@contextlib.asynccontextmanager
async def plain(
    directory: Path,
    main: Callable[[Any], list[Any]] = only_the_broker,
    *,
    host_tls: Contexts = NO_TLS,
    plugin_tls: Contexts = NO_TLS,
) -> AsyncGenerator[Pair]:
    """A host's broker and a plugin's; afterwards both are closed, and no task of theirs is left.

    `main` says, for the plugin's broker, what its own server serves.
    """
    environment = PluginEnvironment(socket_dir=str(directory))
    host = PlainBroker(Reach(environment, host_tls.server, host_tls.client))
    plugin = PlainBroker(Reach(environment, plugin_tls.server, plugin_tls.client))
    with listen(environment) as listener:
        server = PluginServer(main(plugin))
        await server.start(sock=listener.socket)
        channel = Channel(path=listener.address)
        async with _in_use(Pair(host, plugin, channel, server, directory, listener.address)) as pair:
            yield pair
    await wait_until(lambda: len(asyncio.all_tasks()) == 1)


@contextlib.asynccontextmanager
async def multiplexed(
    directory: Path,
    main: Callable[[Any], list[Any]] = only_the_broker,
    *,
    host_tls: Contexts = NO_TLS,
    plugin_tls: Contexts = NO_TLS,
) -> AsyncGenerator[Pair]:
    """The same over one yamux session."""
    host = MultiplexedBroker(server_tls=host_tls.server, client_tls=host_tls.client)
    plugin = MultiplexedBroker(server_tls=plugin_tls.server, client_tls=plugin_tls.client)
    server = PluginServer(main(plugin))
    listener = listen(PluginEnvironment(socket_dir=str(directory)))
    far, near = await asyncio.gather(accept_session(listener), connect_session(listener.network, listener.address))
    tasks = plugin.start(far, server), host.start(near)
    channel = host.main_channel()
    try:
        async with _in_use(Pair(host, plugin, channel, server, directory, listener.address, (near, far))) as pair:
            yield pair
    finally:
        near.close()
        far.close()
        await asyncio.wait_for(asyncio.gather(*tasks, near.wait_closed(), far.wait_closed()), SECONDS)
    await wait_until(lambda: len(asyncio.all_tasks()) == 1)


CONNECTED: dict[str, Connected] = {"plain": plain, "multiplexed": multiplexed}


@contextlib.asynccontextmanager
async def _in_use(pair: Pair) -> AsyncGenerator[Pair]:
    pair.host.open(pair.channel)
    try:
        yield pair
    finally:
        await pair.host.close()
        pair.channel.close()
        await pair.plugin.close()
        await pair.server.end(SECONDS)


def has_asked(dialling_side: Any, accepting_side: Any, service_id: int) -> bool:
    """Whether a dial of `service_id` waits for the other side; in multiplexed mode that has heard the knock."""
    if isinstance(accepting_side, MultiplexedBroker):
        return service_id in accepting_side._multiplexed._knocks
    return bool(dialling_side._dials)


async def wait_until(condition: Callable[[], object]) -> None:
    """For what no event tells of."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.002)


async def echo(stream: Any) -> None:
    request = await stream.recv_message()
    await stream.send_message(Note(text=f"{request.text} back"))


def named(name: str) -> Probe:
    """A service that answers its name."""

    async def method(stream: Any) -> None:
        await stream.recv_message()
        await stream.send_message(Note(text=name))

    return Probe(method)


async def call(channel: Any, text: str) -> str:
    reply = await ProbeStub(channel).Unary(Note(text=text), timeout=SECONDS)
    return reply.text
