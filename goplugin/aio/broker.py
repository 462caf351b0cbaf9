"""GRPCBroker for the asyncio runtime: further connections between a host and its plugin, in either direction.

    async with broker.accept_and_serve(broker.next_id(), [AddHelper()]) as served:      one side
        await counter.Put(PutRequest(add_server=served.service_id, ...))

    async with await broker.dial(request.add_server) as channel: ...                    the other, in its method

A host's broker opens the stream of messages on a channel, a plugin's serves it with `services.BrokerService`. What
differs between the modes is in `broker_plain.py` and `broker_mux.py`.

Rule 1: whoever has made the machine do something calls `_advance` behind it.
Rule 2: a stream of messages has a turn. What comes of one that is over changes nothing any more.
Source: go-plugin grpc_broker.go.
"""
from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from grpclib.client import StreamStreamMethod
from grpclib.exceptions import GRPCError, ProtocolError, StreamTerminatedError

from ..core.broker import BrokerEvent, DialFailed
from ..core.errors import PluginError
from ..core.messages import START_STREAM_PATH, ConnInfo

if TYPE_CHECKING:
    from grpclib import client
    from grpclib.stream import StreamIterator

    from ..core.broker import BrokerMachine
    from ..plugin import Servicer

__all__ = ["END_SECONDS", "Broker", "Served"]

log = logging.getLogger("goplugin.broker")

END_SECONDS = 1.0
"""What the calls and connections of something that is served have for their end."""

_BROKEN = (GRPCError, ProtocolError, StreamTerminatedError, OSError, PluginError)


class Broker(ABC):
    """One side's end, for the loop that runs when it is first used."""

    def __init__(self, machine: BrokerMachine) -> None:
        self._machine = machine
        self._dials: dict[int, asyncio.Future[BrokerEvent]] = {}
        self._served: set[Served] = set()
        self._turn = 0                                      # of the stream of messages; 0 before the first
        self._changed = asyncio.Event()                     # for whoever sends
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None        # that stream, as a host has it
        self._done = False

    # --- for applications ---

    def next_id(self) -> int:
        """An id to accept, to be told to the other side in a message of the application's own. The first is 1."""
        return self._machine.next_id()

    @abstractmethod
    def accept_and_serve(self, service_id: int, servicers: Iterable[Servicer]) -> Served:
        """Serve `servicers` to whoever dials `service_id`, until the result or the broker is closed.

        Raises PluginLostError if the broker is closed, and ConfigError where nothing can listen.
        """

    @abstractmethod
    async def dial(self, service_id: int) -> client.Channel:
        """A channel to what the other side accepts as `service_id`, for which it waits. The caller closes it.

        Raises BrokerTimeout if that is not so within five seconds, PluginLostError if the broker is closed meanwhile or
        nobody can be reached, RemoteProtocolError for an answer that makes no sense. Cancelled, it has used nothing up.
        """

    # --- for clients and servers ---

    def open(self, channel: client.Channel) -> None:
        """The host's side: exchange messages over `channel` until that or the broker is closed. Once.

        A plugin without a broker makes no trouble before somebody uses this one: `broker closed`.
        """
        self._task = asyncio.create_task(self._run(channel))

    async def exchange(self, stream: Any) -> None:
        """The plugin's side: exchange messages with a host, on the server's stream of the call.

        A second host, which has attached to the plugin, takes the place of the first. Returns when its turn is over.
        """
        await self._exchange(stream, await self._begin())

    async def close(self) -> None:
        """End: what waits fails, what is served stops. Takes about a second at most. Idempotent.

        Cancelled, it has closed the broker, and does not wait for what is served.
        """
        self._done = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._end(self._turn)

    def forget(self, served: Served) -> None:
        """It is closed."""
        self._served.discard(served)

    # --- the stream of messages ---

    async def _run(self, channel: client.Channel) -> None:
        method = StreamStreamMethod(channel, START_STREAM_PATH, ConnInfo, ConnInfo)
        try:
            async with method.open() as stream:
                await stream.send_request()
                if not await self._exchange(stream, await self._begin()):
                    await stream.cancel()
        except _BROKEN as error:
            _report(error)
        finally:
            await self._end(self._turn)

    async def _begin(self) -> int:
        """There is a stream of messages; returns its turn. What was served to another host ends."""
        if self._turn:
            await self._end(self._turn)
        if self._machine.closed and not self._done:
            self._machine.reopen()
        self._turn += 1
        self._advance()
        return self._turn

    async def _exchange(self, stream: Any, turn: int) -> bool:
        """Exchange messages until the turn is over; returns whether the peer has ended it."""
        sender = asyncio.create_task(self._send(stream, turn))
        receiver = asyncio.create_task(self._receive(stream, turn))
        tasks = [sender, receiver]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            return receiver.done()
        finally:
            for task in tasks:
                task.cancel()
            for result in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(result, _BROKEN):
                    _report(result)
                elif isinstance(result, Exception):
                    raise result
            await self._end(turn)

    async def _send(self, stream: Any, turn: int) -> None:
        while turn == self._turn and not self._machine.closed:
            message = self._machine.message_to_send(_now())
            self._advance()
            if message is not None:
                await stream.send_message(message)
            else:
                self._changed.clear()
                await self._changed.wait()

    async def _receive(self, stream: StreamIterator[ConnInfo], turn: int) -> None:
        async for message in stream:
            if turn == self._turn:
                self._machine.receive_message(message, _now())
                self._advance()

    async def _end(self, turn: int) -> None:
        """The stream of messages has ended; and with it all that was served to that peer."""
        if turn == self._turn:
            self._machine.close()
            self._advance()
            await asyncio.gather(*(served.close() for served in self._served))

    # --- for the modes ---

    async def _ask(self, service_id: int) -> BrokerEvent:
        """Dial, and wait for what comes of it. Raises as `dial` does."""
        loop = asyncio.get_running_loop()
        dial = self._machine.dial(service_id, loop.time())
        future = self._dials[dial] = loop.create_future()
        self._advance()
        try:
            outcome = await future
        except asyncio.CancelledError:
            self._give_up(dial)
            raise
        finally:
            del self._dials[dial]
        if isinstance(outcome, DialFailed):
            raise outcome.error
        return outcome

    def _give_up(self, dial: int) -> None:
        """Nobody waits for this dial any more."""
        self._machine.cancel_dial(dial)

    def _take(self, event: BrokerEvent) -> None:
        """Something has come of a dial, for which perhaps nobody waits any more."""
        future = self._dials.get(event.dial)
        if future is not None and not future.done():
            future.set_result(event)

    def _advance(self) -> None:
        """Pass on the machine's events, wake whoever sends, and wait for the next thing that has waited long enough."""
        while (event := self._machine.next_event()) is not None:
            self._take(event)
        self._changed.set()
        if self._timer is not None:
            self._timer.cancel()
        deadline = self._machine.next_deadline()
        self._timer = None if deadline is None else asyncio.get_running_loop().call_at(deadline, self._expire)

    def _expire(self) -> None:
        self._machine.expire(_now())
        self._advance()


class Served(ABC):
    """What is served as `service_id`; an asynchronous context manager that ends it."""

    def __init__(self, service_id: int) -> None:
        self.service_id = service_id
        self._closed: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """Cancel the calls, hang up, and take no more connections. Takes a second at most. Idempotent.

        Cancelled, it goes on without anybody who waits for it.
        """
        if self._closed is None:
            self._closed = asyncio.create_task(self._close())
        await asyncio.shield(self._closed)

    @abstractmethod
    async def _close(self) -> None:
        """Do that."""

    async def __aenter__(self) -> Served:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()


def _now() -> float:
    return asyncio.get_running_loop().time()


def _report(error: Exception) -> None:
    """When the other side goes, or we do, the stream breaks off, and that is how it should be; the rest is reported."""
    if not isinstance(error, StreamTerminatedError):
        log.debug("broker closed: %s", error)
