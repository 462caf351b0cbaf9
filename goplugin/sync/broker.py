"""GRPCBroker for the blocking runtime: further connections between a host and its plugin, in either direction.

    with broker.accept_and_serve(broker.next_id(), [AddHelper()]) as served:      one side
        counter.Put(PutRequest(add_server=served.service_id, ...))

    with broker.dial(request.add_server) as channel: ...                          the other, in its method

A host's broker opens the stream of messages on a channel, a plugin's serves it with `services.BrokerService`. What
differs between the modes is in `broker_plain.py` and `broker_mux.py`.

Rule 1: `_changed` guards the machine. Nobody waits for the peer while holding it.
Rule 2: messages are sent by one thread, the one that takes them from `_messages`, and received by another.
Rule 3: a stream of messages has a turn. What comes of one that is over changes nothing any more.
Source: go-plugin grpc_broker.go.
"""
from __future__ import annotations

import contextlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from time import monotonic
from typing import TYPE_CHECKING

from ..core.broker import BrokerEvent, DialFailed
from ..core.errors import PluginError, RemoteError
from ..core.messages import START_STREAM_PATH, ConnInfo
from ..core.status import Code

if TYPE_CHECKING:
    from ..core.broker import BrokerMachine
    from ..plugin import Servicer
    from .call import Call
    from .channel import Channel

__all__ = ["END_SECONDS", "Broker", "Served"]

END_SECONDS = 1.0
"""What the calls of something that is served have for their end, and its connections after that."""


class Broker(ABC):
    """One side's end. Any thread may use it."""

    def __init__(self, machine: BrokerMachine) -> None:
        self._machine = machine
        self._changed = threading.Condition()
        self._outcomes: dict[int, BrokerEvent | None] = {}      # of the dials that somebody waits for
        self._served: set[Served] = set()
        self._turn = 0                                          # of the stream of messages; 0 before the first
        self._call: Call | None = None                          # that stream, as a host has it
        self._done = False

    # --- for applications ---

    def next_id(self) -> int:
        """An id to accept, to be told to the other side in a message of the application's own. The first is 1."""
        with self._changed:
            return self._machine.next_id()

    @abstractmethod
    def accept_and_serve(self, service_id: int, servicers: Iterable[Servicer]) -> Served:
        """Serve plain `servicers` to whoever dials `service_id`, until the result or the broker is closed.

        Raises PluginLostError if the broker is closed, and ConfigError for a method that is a coroutine function, or
        where nothing can listen.
        """

    @abstractmethod
    def dial(self, service_id: int) -> Channel:
        """A channel to what the other side accepts as `service_id`, for which it waits. The caller closes it.

        Raises BrokerTimeout if that is not so within five seconds, PluginLostError if the broker is closed meanwhile or
        nobody can be reached, RemoteProtocolError for an answer that makes no sense.
        """

    # --- for clients and servers ---

    def open(self, channel: Channel) -> None:
        """The host's side: exchange messages over `channel` until that or the broker is closed. Once.

        A plugin without a broker makes no trouble before somebody uses this one: `broker closed`.
        """
        call = channel.open(START_STREAM_PATH)
        turn = self._begin()
        self._call = call
        for work in self._send_to, self._receive_from:
            threading.Thread(target=work, args=(call, turn), name="goplugin-broker", daemon=True).start()

    def exchange(self, requests: Iterator[ConnInfo]) -> Iterator[ConnInfo]:
        """The plugin's side: what is to be sent to a host, as it comes, while its messages are taken from `requests`.

        A second host, which has attached to the plugin, takes the place of the first.
        """
        turn = self._begin()
        threading.Thread(target=self._receive, args=(requests, turn), name="goplugin-broker", daemon=True).start()
        yield from self._messages(turn)

    def close(self) -> None:
        """End: what waits fails, what is served stops. Takes two seconds at most. Idempotent."""
        with self._changed:
            self._done = True
            turn, call = self._turn, self._call
        self._end(turn)
        if call is not None:
            call.cancel()

    def forget(self, served: Served) -> None:
        """It is closed."""
        with self._changed:
            self._served.discard(served)

    # --- the stream of messages ---

    def _begin(self) -> int:
        """There is a stream of messages; returns its turn. What was served to another host ends."""
        if self._turn:
            self._end(self._turn)
        with self._changed:
            if self._machine.closed and not self._done:
                self._machine.reopen()
            self._turn += 1
            return self._turn

    def _end(self, turn: int) -> None:
        """The stream of messages has ended; and with it all that was served to that peer."""
        with self._changed:
            if turn != self._turn:
                return
            self._machine.close()
            self._settle()
            self._changed.notify_all()
            served = list(self._served)
        threads = [threading.Thread(target=one.close, name="goplugin-broker") for one in served]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _messages(self, turn: int) -> Iterator[ConnInfo]:
        """What is to be sent, as it comes, until the turn is over."""
        while (message := self._next_message(turn)) is not None:
            yield message

    def _next_message(self, turn: int) -> ConnInfo | None:
        with self._changed:
            while turn == self._turn and not self._machine.closed:
                message = self._machine.message_to_send(monotonic())
                if message is not None:
                    return message
                self._wait()
        return None

    def _receive(self, messages: Iterator[ConnInfo], turn: int) -> None:
        """Take messages until they end, or the peer breaks the protocol, or the turn is over."""
        try:
            for message in messages:
                with self._changed:
                    if turn != self._turn:
                        break
                    self._machine.receive_message(message, monotonic())
                    self._settle()
                    self._changed.notify_all()
        except PluginError as error:
            # When the other side goes, or we do, the stream is cancelled, and that is how it should be.
            if not (isinstance(error, RemoteError) and error.code in (Code.CANCELLED, Code.UNAVAILABLE)):
                import logging  # not before something has failed: it is a fifth of a plugin's start

                logging.getLogger("goplugin.broker").debug("broker closed: %s", error)
        self._end(turn)

    def _send_to(self, call: Call, turn: int) -> None:
        with contextlib.suppress(PluginError):      # whoever receives sees the end, too
            for message in self._messages(turn):
                call.send(message.SerializeToString())

    def _receive_from(self, call: Call, turn: int) -> None:
        with call:
            self._receive(map(ConnInfo.FromString, call), turn)

    # --- for the modes ---

    def _ask(self, service_id: int) -> BrokerEvent:
        """Dial, and wait for what comes of it. Raises as `dial` does."""
        with self._changed:
            dial = self._machine.dial(service_id, monotonic())
            self._outcomes[dial] = None
            try:
                self._settle()
                self._changed.notify_all()
                while (outcome := self._outcomes[dial]) is None:
                    self._wait()
            except BaseException:
                self._give_up(dial)
                raise
            finally:
                del self._outcomes[dial]
        if isinstance(outcome, DialFailed):
            raise outcome.error
        return outcome

    def _give_up(self, dial: int) -> None:
        """Whoever waits for this dial has been interrupted. With the lock held."""
        self._machine.cancel_dial(dial)

    def _settle(self) -> None:
        """Pass on the machine's events. With the lock held."""
        while (event := self._machine.next_event()) is not None:
            self._take(event)

    def _take(self, event: BrokerEvent) -> None:
        """Something has come of a dial, for which perhaps nobody waits any more. With the lock held."""
        if event.dial in self._outcomes:
            self._outcomes[event.dial] = event
            self._changed.notify_all()

    def _wait(self) -> None:
        """Wait until something changes, or something has waited long enough. With the lock held."""
        deadline = self._machine.next_deadline()
        self._changed.wait(None if deadline is None else max(0.0, deadline - monotonic()))
        self._machine.expire(monotonic())
        self._settle()


class Served(ABC):
    """What is served as `service_id`; a context manager that ends it."""

    def __init__(self, service_id: int) -> None:
        self.service_id = service_id

    @abstractmethod
    def close(self) -> None:
        """Cancel the calls, hang up, and take no more connections. Takes two seconds at most. Idempotent."""

    def __enter__(self) -> Served:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
