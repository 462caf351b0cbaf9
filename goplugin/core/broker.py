"""GRPCBroker: further connections between a host and its plugin, in either direction.

A side that serves something accepts an id, tells the other side that id in a message of the application's own, and the
other side dials it. Beside the application's calls one stream of ConnInfo messages (StartStream) connects the two:

    PlainBroker         accepting announces where a listener is; every announcement serves one dial
    MultiplexedBroker   all connections are streams of one yamux session, which have no names: whoever wants to open one
                        knocks with the id, and the stream that comes after the acknowledgement is the id's

Rule 1: both sides do the same. Who is the host matters to nobody here; ids belong to the side that accepts them.
Rule 2: whatever waits for the other side waits five seconds.
Rule 3: a message is made when somebody can send it, so a peer that reads nothing makes nothing grow here; and what a
peer sends in advance is kept up to a limit, and dropped beyond it.
Rule 4: streams are told apart by their order alone. So one knock at a time is under way to the peer, one of the peer's
at a time is acknowledged and not yet used, and the stream of a StreamGranted is opened before the next message is taken
from the machine.
Source: go-plugin grpc_broker.go, and internal/grpcmux of upstream for what its listeners do with a stream.
"""
from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import deque
from typing import NamedTuple

from .environ import go_quote
from .errors import BrokerTimeout, LocalProtocolError, PluginError, PluginLostError, RemoteProtocolError
from .messages import ConnInfo, Knock

__all__ = [
    "CONNECT_SECONDS", "LONGEST_ADDRESS", "MOST_PENDING", "NO_SESSION", "PENDING_SECONDS",
    "BrokerMachine", "MultiplexedBroker", "PlainBroker",
    "BrokerEvent", "AddressKnown", "DialFailed", "StreamGranted",
]

PENDING_SECONDS = 5.0
"""How long one side waits for the other."""

CONNECT_SECONDS = 5.0
"""How long a plugin that multiplexes waits for its host's one connection."""

NO_SESSION = "error establishing yamux session: timed out waiting for connection to be established"
"""What it says then."""

MOST_PENDING = 1024
"""Of how many ids messages are kept for which nobody here has asked yet."""

LONGEST_ADDRESS = 1024
"""Characters of an announced address; a socket's path has 107."""

# What the system would refuse with an exception of another kind: no empty or overlong part of a host's name, no NUL.
_TCP_ADDRESS = r"\[?[\w:%-]{1,63}(?:\.[\w-]{1,63})*\]?:0*([0-9]{1,5})"
_LAST_PORT = 65535
_LAST_ID = 0xFFFF_FFFF


class AddressKnown(NamedTuple):
    """The dial may connect to this address; `network` is unix or tcp, `address` a path or HOST:PORT."""

    dial: int
    network: str
    address: str


class StreamGranted(NamedTuple):
    """The next stream that we open is the dial's.

    If nobody waits for this dial any more (it was cancelled, or is 0: it failed before this answer came), the stream is
    opened all the same, and closed: the other side would take the next one for it.
    """

    dial: int


class DialFailed(NamedTuple):
    """There will be no connection.

    `error` is a BrokerTimeout, a PluginLostError if the peer refuses or the broker is closed, or a RemoteProtocolError.
    """

    dial: int
    error: PluginError


BrokerEvent = AddressKnown | StreamGranted | DialFailed


class _Pending(NamedTuple):
    """Something about an id that has until `deadline`."""

    service_id: int
    deadline: float


class BrokerMachine(ABC):
    """What both modes have in common. `closed`: the stream of messages has ended.

    `now` is the time in seconds on any clock that does not go back.
    """

    def __init__(self) -> None:
        self.closed = False
        self._ids = 0
        self._dials = 0
        self._events: deque[BrokerEvent] = deque()

    def next_id(self) -> int:
        """An id that this side has not used; the first is 1."""
        self._ids = self._ids + 1 & _LAST_ID
        return self._ids

    @abstractmethod
    def dial(self, service_id: int, now: float) -> int:
        """Ask for a connection to what the other side accepts as `service_id`; the dial's number, for its event.

        Raises PluginLostError if the broker is closed, LocalProtocolError for what is no id.
        """

    @abstractmethod
    def cancel_dial(self, dial: int) -> None:
        """Nobody waits for this dial any more. An event of it may come all the same."""

    @abstractmethod
    def receive_message(self, message: ConnInfo, now: float) -> None:
        """Take a message of the other side. Raises RemoteProtocolError for one that cannot be right."""

    @abstractmethod
    def message_to_send(self, now: float) -> ConnInfo | None:
        """The next message for the other side, for somebody who sends it now; None if there is none."""

    @abstractmethod
    def next_deadline(self) -> float | None:
        """When `expire` has something to do; None if nothing waits."""

    @abstractmethod
    def expire(self, now: float) -> None:
        """Give up what has waited long enough."""

    def next_event(self) -> BrokerEvent | None:
        """The next event, or None."""
        return self._events.popleft() if self._events else None

    def close(self) -> None:
        """The stream of messages has ended, whoever ended it: what waits fails with `broker closed`. Idempotent."""
        if not self.closed:
            self.closed = True
            for dial in self._forget_all():
                self._events.append(DialFailed(dial, _broker_closed()))

    def reopen(self) -> None:
        """There is another stream of messages: another host has attached to this plugin. Ids go on where they were."""
        self.closed = False

    @abstractmethod
    def _forget_all(self) -> list[int]:
        """Drop everything; the dials that were still waiting."""

    def _new_dial(self, service_id: int) -> int:
        self._check(service_id)
        self._dials += 1
        return self._dials

    def _check(self, service_id: int) -> None:
        if not 0 <= service_id <= _LAST_ID:
            raise LocalProtocolError(f"{service_id} is no id: it has to fit into 32 bits without a sign")
        if self.closed:
            raise _broker_closed()


class PlainBroker(BrokerMachine):
    """Every connection has an address of its own."""

    def __init__(self) -> None:
        super().__init__()
        self._announcements: deque[ConnInfo] = deque()                  # ours
        self._mail: dict[int, tuple[ConnInfo, float]] = {}              # theirs, by id, with the end of their time
        self._waiting: dict[int, _Pending] = {}                         # by dial, the oldest first

    def send_conn_info(self, service_id: int, network: str, address: str) -> None:
        """Announce that we accept `service_id` at this address. Raises as `dial` does."""
        self._check(service_id)
        self._announcements.append(ConnInfo(service_id, network, address))

    def dial(self, service_id: int, now: float) -> int:
        dial = self._new_dial(service_id)
        self.expire(now)
        if service_id in self._mail:
            self._deliver(dial, self._mail.pop(service_id)[0])
        else:
            self._waiting[dial] = _Pending(service_id, now + PENDING_SECONDS)
        return dial

    def cancel_dial(self, dial: int) -> None:
        self._waiting.pop(dial, None)

    def receive_message(self, message: ConnInfo, now: float) -> None:
        if self.closed or _is_knock(message):
            return      # whoever knocks here has mistaken the mode, and gets no answer from a Go peer either
        if len(message.network) + len(message.address) > LONGEST_ADDRESS:
            raise RemoteProtocolError(f"the address announced for id {message.service_id} is too long")
        self.expire(now)
        service_id = message.service_id
        for dial, pending in self._waiting.items():
            if pending.service_id == service_id:
                del self._waiting[dial]
                self._deliver(dial, message)
                return
        if len(self._mail) < MOST_PENDING:
            self._mail.setdefault(service_id, (message, now + PENDING_SECONDS))

    def message_to_send(self, now: float) -> ConnInfo | None:
        return self._announcements.popleft() if self._announcements else None

    def next_deadline(self) -> float | None:
        waiting = (pending.deadline for pending in self._waiting.values())
        mail = (deadline for _, deadline in self._mail.values())
        return min((*waiting, *mail), default=None)

    def expire(self, now: float) -> None:
        for service_id in [service_id for service_id, (_, deadline) in self._mail.items() if deadline <= now]:
            del self._mail[service_id]
        for dial in [dial for dial, pending in self._waiting.items() if pending.deadline <= now]:
            del self._waiting[dial]
            self._events.append(DialFailed(dial, BrokerTimeout("timeout waiting for connection info")))

    def _deliver(self, dial: int, message: ConnInfo) -> None:
        network, address = message.network, message.address
        if network not in ("tcp", "unix"):
            self._events.append(DialFailed(dial, RemoteProtocolError(f"unknown address type: {address}")))
        elif not _is_address(network, address):
            self._events.append(DialFailed(dial, RemoteProtocolError(f"invalid {network} address {go_quote(address)}")))
        else:
            self._events.append(AddressKnown(dial, network, address))

    def _forget_all(self) -> list[int]:
        dials = list(self._waiting)
        self._waiting.clear()
        self._mail.clear()
        self._announcements.clear()
        return dials


class MultiplexedBroker(BrokerMachine):
    """Every connection is a stream of one yamux session."""

    def __init__(self) -> None:
        super().__init__()
        # Our knocks: the dials whose turn will come, and the one whose knock is under way.
        self._queue: dict[int, int] = {}                                # ids by dial, the oldest first
        self._dialling = 0
        self._knock: _Pending | None = None
        # Theirs: the ids that we accept, the knocks we have not answered, and the one whose stream is to come.
        self._accepted: set[int] = set()
        self._knocks: dict[int, float] = {}                             # ends of their time by id, the oldest first
        self._expected: _Pending | None = None

    def accept(self, service_id: int) -> None:
        """Take streams for `service_id`, any number of them, until `stop_accepting`.

        Raises LocalProtocolError if that is so already, and as `dial` does.
        """
        self._check(service_id)
        if service_id in self._accepted:
            raise LocalProtocolError(f"id {service_id} is accepted already")
        self._accepted.add(service_id)

    def stop_accepting(self, service_id: int) -> None:
        """Acknowledge no further knocks for `service_id`; a stream that was granted may still come. Idempotent."""
        self._accepted.discard(service_id)

    def receive_stream(self, now: float) -> int | None:
        """The peer has opened a stream: the id whose it is.

        None if we have acknowledged no knock. To a plugin this is a further main connection; to a host it is a mistake.
        """
        self.expire(now)
        expected, self._expected = self._expected, None
        return None if expected is None else expected.service_id

    def dial(self, service_id: int, now: float) -> int:
        dial = self._new_dial(service_id)
        self._queue[dial] = service_id
        return dial

    def cancel_dial(self, dial: int) -> None:
        self._queue.pop(dial, None)     # a knock that is under way will be answered, and the answer is to be used

    def receive_message(self, message: ConnInfo, now: float) -> None:
        if self.closed:
            return
        self.expire(now)
        if _is_knock(message):
            if len(self._knocks) < MOST_PENDING:
                self._knocks.setdefault(message.service_id, now + PENDING_SECONDS)
        elif self._knock is not None and self._knock.service_id == message.service_id:
            self._knock = None
            self._take_answer(self._dialling, message)
        elif message.knock == Knock(knock=True, ack=True):
            self._events.append(StreamGranted(0))

    def message_to_send(self, now: float) -> ConnInfo | None:
        self.expire(now)
        service_id = self._knock_to_answer()
        if service_id is not None:
            del self._knocks[service_id]
            self._expected = _Pending(service_id, now + PENDING_SECONDS)
            return ConnInfo(service_id, knock=Knock(knock=True, ack=True))
        if self._knock is None and self._queue:
            self._dialling = next(iter(self._queue))
            self._knock = _Pending(self._queue.pop(self._dialling), now + PENDING_SECONDS)
            return ConnInfo(self._knock.service_id, knock=Knock(knock=True))
        return None

    def next_deadline(self) -> float | None:
        under_way = (pending.deadline for pending in (self._knock, self._expected) if pending is not None)
        return min((*under_way, *self._knocks.values()), default=None)

    def expire(self, now: float) -> None:
        for service_id in [service_id for service_id, deadline in self._knocks.items() if deadline <= now]:
            del self._knocks[service_id]
        if self._expected is not None and self._expected.deadline <= now:
            self._expected = None
        if self._knock is not None and self._knock.deadline <= now:
            text = f"timeout waiting for multiplexing knock handshake on id {self._knock.service_id}"
            self._knock = None
            self._fail(self._dialling, BrokerTimeout, text)

    def _knock_to_answer(self) -> int | None:
        """The id of the oldest knock that may be acknowledged now."""
        if self._expected is not None:
            return None
        return next((service_id for service_id in self._knocks if service_id in self._accepted), None)

    def _take_answer(self, dial: int, message: ConnInfo) -> None:
        service_id, knock = message.service_id, message.knock
        if knock is None or not (knock.knock and knock.ack):
            text = f"handshake failed for multiplexing on id {service_id}; expected knock and ack, but got {knock}"
            self._fail(dial, RemoteProtocolError, text)
        elif knock.error:
            self._fail(dial, PluginLostError, f"failed to knock for id {service_id}: {knock.error}")
        else:
            self._events.append(StreamGranted(dial))

    def _fail(self, dial: int, kind: type[BrokerTimeout | PluginLostError | RemoteProtocolError], text: str) -> None:
        self._events.append(DialFailed(dial, kind(f"failed to knock before dialling client: {text}")))

    def _forget_all(self) -> list[int]:
        dials = list(self._queue)
        if self._knock is not None:
            dials.insert(0, self._dialling)
        self._queue.clear()
        self._accepted.clear()
        self._knocks.clear()
        self._knock = self._expected = None
        return dials


def _is_knock(message: ConnInfo) -> bool:
    return message.knock is not None and message.knock.knock and not message.knock.ack


def _is_address(network: str, address: str) -> bool:
    if network == "unix":
        return address != "" and "\0" not in address
    match = re.fullmatch(_TCP_ADDRESS, address, re.ASCII)
    return match is not None and int(match[1]) <= _LAST_PORT


def _broker_closed() -> PluginLostError:
    return PluginLostError("broker closed")
