"""What a host in asyncio has of a plugin it is connected with: a channel, and a broker if anybody asks for it.

Source: go-plugin grpc_client.go.
"""
from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..core.errors import PluginLostError
from .plugin_channel import channel_to

if TYPE_CHECKING:
    from grpclib.client import Channel

    from ..endpoint import Endpoint
    from ..mux import Session
    from .broker import Broker

__all__ = ["PluginConnection", "connect"]


async def connect(endpoint: Endpoint, timeout: float | None = None) -> PluginConnection:
    """Connect to a plugin, which has `timeout` seconds for a TLS handshake, or those of `channel_to`.

    That nobody listens there is told by the first call, as by upstream.
    Raises PluginLostError in multiplexed mode, where upstream does too.
    """
    if endpoint.line.multiplex:
        return await _connect_multiplexed(endpoint, timeout)

    def make_broker() -> Broker:
        from .broker_plain import PlainBroker  # with a server: most hosts have none

        return PlainBroker(endpoint.reach)

    channel = channel_to(endpoint.line.network, endpoint.line.address, tls=endpoint.client_tls, timeout=timeout)
    return PluginConnection(channel, make_broker)


class PluginConnection:
    """`channel` is for everything; `session` is what it is a stream of, with the task that takes the others."""

    def __init__(
        self,
        channel: Channel,
        make_broker: Callable[[], Broker],
        session: tuple[Session, asyncio.Task[None]] | None = None,
    ) -> None:
        self.channel = channel
        self._make_broker = make_broker
        self._session = session
        self._broker: Broker | None = None
        self._ended = False

    @property
    def broker(self) -> Broker:
        """The broker; its stream of messages begins when it is first asked for. Takes a running loop.

        Raises PluginLostError if this connection is to end.
        """
        if self._ended:
            raise PluginLostError("broker closed")
        if self._broker is None:
            self._broker = self._make_broker()
            self._broker.open(self.channel)
        return self._broker

    async def end_broker(self) -> None:
        """Nothing is served to the plugin any more, and nothing of it dialled. Takes about a second at most."""
        self._ended = True
        if self._broker is not None:
            await self._broker.close()

    async def close(self) -> None:
        """End all of it. Idempotent."""
        try:
            await self.end_broker()
        finally:
            self.channel.close()
            if self._session is not None:
                session, accepting = self._session
                session.close()
                await asyncio.wait([accepting])
                await session.wait_closed()


async def _connect_multiplexed(endpoint: Endpoint, timeout: float | None) -> PluginConnection:
    from .broker_mux import MultiplexedBroker, connect_session

    broker = MultiplexedBroker(server_tls=endpoint.server_tls, client_tls=endpoint.client_tls)
    session = await connect_session(endpoint.line.network, endpoint.line.address)
    accepting = broker.start(session)
    return PluginConnection(broker.main_channel(timeout), lambda: broker, (session, accepting))
