"""What a host that blocks has of a plugin it is connected with.

Calls are made over one connection that all threads share. What never ends, the plugin's output and the broker's
messages, goes over a second one: whoever reads a connection leads it for everybody (mailroom.py), and a stream that
never ends would leave the lead with a thread of ours, and a hop to it in every call.
Source: go-plugin grpc_client.go.
"""
from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from ..core.errors import PluginLostError
from .channel import Channel, channel_to

if TYPE_CHECKING:
    from ..core.http2 import MetadataLike
    from ..endpoint import Endpoint
    from .broker import Broker
    from .mux import Session

__all__ = ["PluginConnection", "connect"]


def connect(endpoint: Endpoint, timeout: float | None = None) -> PluginConnection:
    """Connect to a plugin, which has `timeout` seconds for a TLS handshake, or those of `channel_to`.

    That nobody listens there is told by the first call, as by upstream.
    Raises PluginLostError in multiplexed mode, where upstream does too.
    """
    return _connect_multiplexed(endpoint, timeout) if endpoint.line.multiplex else _connect_plain(endpoint, timeout)


class PluginConnection:
    """`channel` is for calls, `output` for streams that never end: the same one if there cannot be two."""

    def __init__(
        self, channel: Channel, output: Channel, make_broker: Callable[[], Broker], session: Session | None = None
    ) -> None:
        self.channel = channel
        self.output = output
        self._make_broker = make_broker
        self._session = session
        self._broker: Broker | None = None
        self._ended = False
        self._lock = threading.Lock()

    @property
    def broker(self) -> Broker:
        """The broker; its stream of messages begins when it is first asked for.

        Raises PluginLostError if the plugin is gone, or this connection is to be.
        """
        with self._lock:
            if self._ended:
                raise PluginLostError("broker closed")
            if self._broker is None:
                broker = self._make_broker()
                broker.open(self.output)
                self._broker = broker
            return self._broker

    def end_broker(self) -> None:
        """Nothing is served to the plugin any more, and nothing of it dialled. Takes two seconds at most."""
        with self._lock:
            self._ended = True
        if self._broker is not None:
            self._broker.close()

    def look(self) -> None:
        """Take note of what has come while nobody called."""
        self.output.look()
        self.channel.look()

    def close(self) -> None:
        """End all of it. Idempotent."""
        self.end_broker()
        self.output.close()
        self.channel.close()
        if self._session is not None:
            self._session.close()


def _connect_plain(endpoint: Endpoint, timeout: float | None) -> PluginConnection:
    line, tls = endpoint.line, endpoint.client_tls

    def make_broker() -> Broker:
        from .broker_plain import PlainBroker  # with a server: most hosts have none

        return PlainBroker(endpoint.reach)

    try:
        channel = channel_to(line.network, line.address, tls=tls, timeout=timeout)
    except PluginLostError as error:
        nobody = _NoChannel(error)
        return PluginConnection(nobody, nobody, make_broker)
    try:
        output = channel_to(line.network, line.address, tls=tls, timeout=timeout)
    except PluginLostError:
        output = channel
    return PluginConnection(channel, output, make_broker)


def _connect_multiplexed(endpoint: Endpoint, timeout: float | None) -> PluginConnection:
    from .broker_mux import MultiplexedBroker, connect_session

    session = connect_session(endpoint.line.network, endpoint.line.address)
    try:
        broker = MultiplexedBroker(server_tls=endpoint.server_tls, client_tls=endpoint.client_tls)
        broker.start(session)
        channel = broker.main_channel(timeout)
        return PluginConnection(channel, broker.main_channel(timeout), lambda: broker, session)
    except BaseException:
        session.close()
        raise


class _NoChannel(Channel):
    """The channel to a plugin that cannot be reached: every call says why."""

    def __init__(self, error: PluginLostError) -> None:
        self._message = error.message

    def unary(
        self, path: str, message: bytes, *, metadata: MetadataLike = (), timeout: float | None = None
    ) -> NoReturn:
        raise PluginLostError(self._message)

    def open(self, path: str, *, metadata: MetadataLike = (), timeout: float | None = None) -> NoReturn:
        raise PluginLostError(self._message)

    def look(self) -> bool:
        return False

    def close(self) -> None:
        pass
