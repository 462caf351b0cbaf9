"""One stream of a yamux session as an asyncio transport, with the behaviour of asyncio's own socket transports.

A stream that has been closed still sends what it was given before, and then its end; what the peer goes on to say is
discarded. Aborting resets it.
"""
from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple, cast

from .core.yamux import DataReceived, StreamFinished, StreamWritable

if TYPE_CHECKING:
    from .mux import Session

__all__ = ["StreamTransport"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_HIGH_WATER = 64 * 1024


class StreamTransport(asyncio.Transport):
    """Made by `Session.open` and `Session.accept`; `stream_id` is the stream's, in the session."""

    # What `loop.start_tls` asks a transport for.
    _start_tls_compatible = True

    def __init__(self, session: Session, stream_id: int) -> None:
        super().__init__()
        self.stream_id = stream_id
        self._session = session
        self._loop = asyncio.get_running_loop()
        self._protocol: asyncio.BaseProtocol | None = None
        self._inbox: deque[bytes] = deque()
        self._finished = False              # the peer sends no more; its protocol hears of it behind the inbox
        self._reading = True
        self._backlog: deque[memoryview] = deque()
        self._size = 0                      # of the backlog
        self._low, self._high = _HIGH_WATER // 4, _HIGH_WATER
        self._paused = False                # the protocol has been told to pause writing
        self._ending = False                # our end follows the backlog
        self._ended = False                 # and was sent
        self._closing = False
        self._lost = False                  # the machine has the stream no more,
        self._error: BaseException | None = None    # because of this,
        self._over = False                  # and the protocol knows, or will

    # --- reading ---

    def is_reading(self) -> bool:
        return self._reading and not self._closing

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        if not (self._reading or self._closing):
            self._reading = True
            self._loop.call_soon(self._deliver)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        assert self._protocol is not None
        return self._protocol

    # --- writing ---

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Raises RuntimeError behind `write_eof`, as every transport does."""
        if self._ending and not self._closing:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self._closing or self._lost or not data:
            return
        # The caller may change what is not bytes as soon as we return, and the machine sends it later.
        self._backlog.append(memoryview(data if isinstance(data, bytes) else bytes(data)))
        self._size += len(self._backlog[-1])
        self._send()

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview[Any]]) -> None:
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        if not (self._ending or self._lost):
            self._ending = True
            self._send()

    def get_write_buffer_size(self) -> int:
        return self._size

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._low, self._high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Raises ValueError unless high >= low >= 0."""
        if high is None:
            high = _HIGH_WATER if low is None else 4 * low
        if low is None:
            low = high // 4
        if not high >= low >= 0:
            raise ValueError(f"high ({high!r}) must be >= low ({low!r}) must be >= 0")
        self._low, self._high = low, high
        self._check_water()

    # --- ending ---

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._ending = self._closing = True
            self._inbox.clear()
            self._session.machine.discard(self.stream_id)
            if self._lost:
                self.end(self._error)
            else:
                self._send()

    def abort(self) -> None:
        self._force_close(None)

    def _force_close(self, exc: BaseException | None) -> None:
        """What asyncio's TLS calls on the transport below it for an error that nothing survives."""
        self._session.machine.send_reset(self.stream_id)
        self._session.flush()
        self.end(exc)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._session.get_extra_info(name, default)

    # --- for the session ---

    def connect(self, protocol: asyncio.BaseProtocol) -> None:
        """Somebody wants the stream; what has come for it so far follows in the next turn of the loop."""
        self._protocol = protocol
        protocol.connection_made(self)
        self._loop.call_soon(self._deliver)

    def take(self, event: DataReceived | StreamFinished | StreamWritable) -> None:
        """Something came for the stream."""
        if isinstance(event, StreamWritable):
            self.go_on()
        else:
            if isinstance(event, DataReceived):
                self._inbox.append(event.data)
            else:
                self._finished = True
            self._deliver()

    def go_on(self) -> None:
        """The peer, or the connection, takes more again."""
        if self._backlog:
            self._send()

    def lose(self, error: BaseException | None) -> None:
        """The stream is over for the machine; what came before that is still handed over."""
        self._lost = True
        self._error = error
        self._drop_backlog()
        self._session.forget(self.stream_id)
        self._deliver()

    def end(self, error: BaseException | None) -> None:
        """The stream is over; its protocol hears of it. Idempotent."""
        if self._over:
            return
        self._over = self._lost = self._closing = True
        self._inbox.clear()
        self._drop_backlog()
        self._session.forget(self.stream_id)
        if self._protocol is not None:      # otherwise nobody has accepted it
            self._loop.call_soon(self._protocol.connection_lost, cast("Exception | None", error))

    # --- inside ---

    def _send(self) -> None:
        """Send what the peer and the connection take, and the end behind the last of it."""
        machine, backlog = self._session.machine, self._backlog
        while backlog and not self._session.full:
            piece = backlog[0]
            sent = machine.send_data(self.stream_id, piece)
            self._size -= sent
            self._session.flush()
            if sent < len(piece):
                backlog[0] = piece[sent:]
                break
            backlog.popleft()
        if self._ending and not (backlog or self._ended):
            self._ended = True
            machine.send_end(self.stream_id)
            self._session.flush()
        if self._closing and self._ended:
            self.end(None)
        self._check_water()

    def _drop_backlog(self) -> None:
        self._backlog.clear()
        self._size = 0

    def _check_water(self) -> None:
        if self._protocol is None or self._lost:
            return
        if self._size > self._high and not self._paused:
            self._paused = True
            self._tell(self._protocol.pause_writing)
        elif self._size <= self._low and self._paused:
            self._paused = False
            self._tell(self._protocol.resume_writing)

    def _deliver(self) -> None:
        """Hand over what came, as long as the protocol reads."""
        if self._protocol is None:
            return
        machine = self._session.machine
        while self._inbox and self.is_reading():
            data = self._inbox.popleft()
            self._tell(self._hand_over, data)
            machine.acknowledge_data(self.stream_id, len(data))
        self._session.flush()
        if self._inbox or not self.is_reading():
            return
        if self._finished:
            self._finished = False      # is said once
            if not self._tell(cast("asyncio.Protocol", self._protocol).eof_received):
                self.close()
        if self._lost:
            self.end(self._error)

    def _hand_over(self, data: bytes) -> None:
        protocol = self._protocol
        if not isinstance(protocol, asyncio.BufferedProtocol):
            cast("asyncio.Protocol", protocol).data_received(data)
            return
        view = memoryview(data)
        while view:
            buffer = memoryview(protocol.get_buffer(len(view)))
            size = min(len(buffer), len(view))
            buffer[:size] = view[:size]
            protocol.buffer_updated(size)
            view = view[size:]

    def _tell(self, method: Callable[[*Ts], T], *args: *Ts) -> T | None:
        """Call the protocol. A bug of its own ends its stream, and not the session, which calls for all of them."""
        try:
            return method(*args)
        except Exception as error:  # noqa: BLE001 - as asyncio's own transports
            context = {"message": f"{method.__name__} of a stream's protocol failed", "exception": error,
                       "transport": self, "protocol": self._protocol}
            self._loop.call_exception_handler(context)
            self._force_close(error)
            return None
