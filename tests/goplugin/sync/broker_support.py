"""Two brokers over a real connection, in either mode, and what they serve to each other."""
from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from goplugin.core.environ import PluginEnvironment
from goplugin.reach import Reach
from goplugin.sync.broker import Broker
from goplugin.sync.broker_mux import MultiplexedBroker, accept_session, connect_session
from goplugin.sync.broker_plain import PlainBroker
from goplugin.sync.channel import Channel, channel_to
from goplugin.sync.server import Server, serve_on
from goplugin.sync.services import BrokerService
from goplugin.transport import listen

from ..broker_support import NO_TLS, Contexts, Pair
from .support import SECONDS, UNARY, Note, Probe, wait_until

__all__ = ["CONNECTED", "Connected", "broker_threads", "call", "echo", "has_asked", "multiplexed", "named", "plain"]

Connected = Callable[..., contextlib.AbstractContextManager[Pair]]


def only_the_broker(plugin: Broker) -> list[Any]:
    return [BrokerService(plugin)]


@contextlib.contextmanager
def plain(
    directory: Path,
    main: Callable[[Any], list[Any]] = only_the_broker,
    *,
    host_tls: Contexts = NO_TLS,
    plugin_tls: Contexts = NO_TLS,
) -> Iterator[Pair]:
    """A host's broker and a plugin's; afterwards both are closed, and no thread of theirs is left.

    `main` says, for the plugin's broker, what its own server serves.
    """
    environment = PluginEnvironment(socket_dir=str(directory))
    host = PlainBroker(Reach(environment, host_tls.server, host_tls.client))
    plugin = PlainBroker(Reach(environment, plugin_tls.server, plugin_tls.client))
    with listen(environment) as listener:
        server = serve_on(listener.socket, main(plugin))
        channel = channel_to("unix", listener.address)
        with _in_use(Pair(host, plugin, channel, server, directory, listener.address)) as pair:
            yield pair
    wait_until(lambda: not broker_threads())


@contextlib.contextmanager
def multiplexed(
    directory: Path,
    main: Callable[[Any], list[Any]] = only_the_broker,
    *,
    host_tls: Contexts = NO_TLS,
    plugin_tls: Contexts = NO_TLS,
) -> Iterator[Pair]:
    """The same over one yamux session."""
    host = MultiplexedBroker(server_tls=host_tls.server, client_tls=host_tls.client)
    plugin = MultiplexedBroker(server_tls=plugin_tls.server, client_tls=plugin_tls.client)
    server = Server(main(plugin), tls=plugin_tls.server)
    listener = listen(PluginEnvironment(socket_dir=str(directory)))
    near = connect_session(listener.network, listener.address)
    far = accept_session(listener, lambda: True)
    assert far is not None
    ended = threading.Event()
    plugin.start(far, server, on_end=ended.set)
    host.start(near)
    channel = host.main_channel()
    try:
        with _in_use(Pair(host, plugin, channel, server, directory, listener.address, (near, far))) as pair:
            yield pair
    finally:
        near.close()
        far.close()
    assert ended.wait(SECONDS)
    wait_until(lambda: not broker_threads())


CONNECTED: dict[str, Connected] = {"plain": plain, "multiplexed": multiplexed}


@contextlib.contextmanager
def _in_use(pair: Pair) -> Iterator[Pair]:
    pair.host.open(pair.channel)
    try:
        yield pair
    finally:
        pair.host.close()
        pair.channel.close()
        pair.plugin.close()
        pair.server.stop(SECONDS)


def broker_threads() -> list[str]:
    """The names of those that a broker needs, and what is below it."""
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith(("goplugin-broker", "goplugin-accept", "goplugin-mux"))]


def has_asked(dialling_side: Any, accepting_side: Any, service_id: int) -> bool:
    """Whether a dial of `service_id` waits for the other side; in multiplexed mode that has heard the knock."""
    if isinstance(accepting_side, MultiplexedBroker):
        return service_id in accepting_side._multiplexed._knocks
    return bool(dialling_side._outcomes)


def echo(request: Any, context: Any) -> Any:
    return Note(text=f"{request.text} back")


def named(name: str) -> Probe:
    """A service that answers its name."""
    return Probe(lambda request, context: Note(text=name))


def call(channel: Channel, text: str) -> str:
    reply = channel.unary(UNARY, Note(text=text).SerializeToString(), timeout=SECONDS)
    return Note.FromString(reply.message or b"").text
