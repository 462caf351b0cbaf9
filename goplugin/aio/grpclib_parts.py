"""All that this package touches of grpclib's private parts; because of it grpclib is pinned below 0.5.

Channel
    _protocol           the connection, or None
    _protocol_factory   makes one; called by `__connect__`, which holds a lock meanwhile
    _connected          whether `_protocol` takes calls; asked by `__connect__`
    _create_connection  makes a connection; called by `__connect__`
    _state, _ChannelState
    _loop, _scheme, _authority, _codec, _status_details_codec
Server
    _protocol_factory   makes the server's end of a connection
    _server             what listens, or None
    _mapping            the handlers, by path
    _codec, _status_details_codec
both
    __dispatch__        sends an application its events; of it `_listeners`, those who listen, by type of event

What is public of both classes stays as it is: a Channel connects, says so when it is forgotten, and is closed as
grpclib's is; a Server starts and stops as grpclib's does.
"""
from __future__ import annotations

import asyncio
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, cast

from grpclib import client, server

if TYPE_CHECKING:
    from grpclib.protocol import H2Protocol

__all__ = ["ChannelBase", "ClientEnd", "ServerBase"]


class ClientEnd(Protocol):
    """What ChannelBase has to know of a connection; `open`: calls may begin on it."""

    open: bool


End = TypeVar("End", bound=ClientEnd)


class ChannelBase(client.Channel, Generic[End]):
    """grpclib's Channel over connections of another kind."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)  # pyright: ignore[reportUnknownMemberType] - takes its own idea of ssl
        self.loop = self._loop
        self.scheme = self._scheme
        self.authority = self._authority
        self.codec: Any = self._codec
        self.status_details_codec = self._status_details_codec

    @abstractmethod
    def new_link(self) -> End:
        """A connection that is about to be made."""

    @property
    def link(self) -> End | None:
        """The connection, if calls may begin on it; otherwise `__connect__` makes a new one."""
        link: Any = self._protocol
        return link if link is not None and link.open else None

    @property
    def listeners(self) -> Any:
        """Where events for the application go, or None while nobody listens."""
        return self.__dispatch__ if self.__dispatch__._listeners else None  # pyright: ignore[reportPrivateUsage]

    def forget_link(self) -> None:
        """There is no connection any more; that is all right, until the next call."""
        if self._protocol is not None:
            del self._protocol
        self._state = client._ChannelState.IDLE  # pyright: ignore[reportPrivateUsage]

    async def __connect__(self) -> Any:
        link: Any = await super().__connect__()
        if not link.open:       # lost before this coroutine went on, and a new one would be no better
            raise ConnectionResetError("the peer closed the connection at once")
        return link

    async def make_link(self) -> End:
        """Make a connection. Raises OSError, or an error that the call which needs the connection is to raise."""
        link: Any = await super()._create_connection()
        return link

    @property
    def _connected(self) -> bool:
        return self.link is not None

    async def _create_connection(self) -> H2Protocol:
        return cast("H2Protocol", await self.make_link())

    def _protocol_factory(self) -> H2Protocol:
        return cast("H2Protocol", self.new_link())


class ServerBase(server.Server):
    """grpclib's Server over connections of another kind. `handlers`: the methods served, by path."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.codec: Any = self._codec
        self.status_details_codec = self._status_details_codec
        self.handlers = self._mapping

    @property
    def started(self) -> bool:
        """Whether the server has listened."""
        return self._server is not None

    @abstractmethod
    def new_link(self) -> asyncio.BaseProtocol:
        """The server's end of a connection that has been made."""

    @property
    def listeners(self) -> Any:
        """Where events for the application go, or None while nobody listens."""
        return self.__dispatch__ if self.__dispatch__._listeners else None  # pyright: ignore[reportPrivateUsage]

    def _protocol_factory(self) -> H2Protocol:
        return cast("H2Protocol", self.new_link())
