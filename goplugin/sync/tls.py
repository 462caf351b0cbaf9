"""TLS on any stream: a socket, or one stream of a multiplexer.

OpenSSL works on memory here, and the bytes go through the stream below. A TLS socket of the ssl module will not do: it
waits where this must not, knows no ticks, and may not be read and written by two threads at the same time.

Rule 1: `_lock` guards OpenSSL's state and the order of what it wrote. Nobody waits while holding it.
Rule 2: the handshake belongs to the thread that reads. Until it is over nothing else is sent.
Rule 3: what is encrypted stays so. Bytes whose record the stream below has not taken completely do not count as sent;
the caller, who offers them again, is told so then.
"""
from __future__ import annotations

import contextlib
import ssl
import threading
from time import monotonic
from typing import TYPE_CHECKING

from ..tls import HANDSHAKE_SECONDS, explain
from .stream import NOW, READ_SIZE, TICK

if TYPE_CHECKING:
    from .stream import Stream

__all__ = ["TLSStream", "wrap"]

_WRITE_SIZE = 64 * 1024     # bytes that are encrypted at a time
_SIZE = (READ_SIZE,)


class TLSStream:
    """A Stream that encrypts. What `recv` raises, other than BlockingIOError, says what was wrong with the peer.

    A client has to see the `handshake` through before it uses the stream; a server's end is ready at once, and whoever
    reads first shakes hands. The peer has `timeout` seconds for it.
    """

    def __init__(
        self,
        lower: Stream,
        context: ssl.SSLContext,
        *,
        server_side: bool = False,
        server_hostname: str | None = None,
        timeout: float = HANDSHAKE_SECONDS,
    ) -> None:
        self._lower = lower
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side, server_hostname)
        self._lock = threading.Lock()
        self._deadline = monotonic() + timeout
        self._ready = False             # the handshake is over
        self._broken = False            # an interruption has taken bytes away
        self._starved = True            # there is nothing to decrypt until more has come
        self._unsent: bytes | memoryview = b""
        self._encrypted = 0             # bytes of the caller's that `_unsent` stands for

    # --- reading ---

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        if not self._ready:
            self._shake(flags)
        for starved in (self._starved, True):
            if starved:
                self._fill(flags)
            try:
                with self._lock:
                    data = self._tls.read(size)
                    self._starved = len(data) < size and not self._incoming.pending
                return data     # noqa: TRY300 - an interruption up to here has to be seen below
            except ssl.SSLWantReadError:
                self._starved = True
                self._answer()
            except ssl.SSLEOFError:
                return b""      # HTTP/2 and yamux say goodbye themselves; few peers of theirs do it twice
            except ssl.SSLError as error:
                self._answer()
                raise ConnectionError(explain(error)) from error
            except BaseException:
                self._ready, self._broken = False, True
                raise
        raise BlockingIOError

    def _fill(self, flags: int) -> None:
        """Get what is there from the stream below. Raises as `recv` does."""
        self._starved = False
        try:
            # From the system call to OpenSSL without a step of the interpreter, which would be handling signals.
            written = next(map(self._incoming.write, map(self._lower.recv, _SIZE, (flags,))))
        except BlockingIOError:
            self._starved = True
            raise
        if not written:
            self._incoming.write_eof()

    def _answer(self) -> None:
        """Send what OpenSSL has to say to what it read: the handshake, an alert."""
        with self._lock, contextlib.suppress(OSError):      # reading will tell
            self._flush()

    # --- the handshake ---

    def handshake(self) -> None:
        """Shake hands.

        Raises ConnectionError that says what is wrong with the peer, TimeoutError if it does not answer in time, and
        any other OSError if the connection is over.
        """
        while True:
            try:
                self._shake(NOW)
            except BlockingIOError:
                remaining = max(0.0, self._deadline - monotonic())
                self._lower.wait(reading=True, writing=bool(self._unsent), timeout=min(remaining, TICK))
            else:
                return

    def _shake(self, flags: int) -> None:
        """Go on with the handshake until it is over. Raises as `recv` does."""
        if self._broken:
            raise ConnectionError("interrupted in the middle of a record")
        if monotonic() > self._deadline:
            raise TimeoutError("authentication handshake failed: context deadline exceeded")
        while not self._ready:
            try:
                with self._lock:
                    self._tls.do_handshake()
                    self._ready = True
            except ssl.SSLWantReadError:
                self._answer()
                self._fill(flags)
            except ssl.SSLError as error:
                self._answer()
                text = f"authentication handshake failed: {explain(error)}"
                if self._tls.server_side:
                    # Nobody else would hear of it. Imported here, because it is a fifth of a plugin's start.
                    import logging

                    logging.getLogger("goplugin.server").warning("connection refused: %s", text)
                raise ConnectionError(text) from error
        self._starved = not self._incoming.pending
        self._answer()

    # --- writing ---

    def send(self, data: bytes | memoryview, flags: int, /) -> int:
        with self._lock:
            if not self._ready or (self._unsent and not self._flush()):
                raise BlockingIOError
            sent, self._encrypted = self._encrypted, 0
            while sent < len(data):
                whole = not sent and len(data) <= _WRITE_SIZE
                size = self._tls.write(data if whole else memoryview(data)[sent : sent + _WRITE_SIZE])
                if not self._flush():
                    self._encrypted = size
                    break
                sent += size
        if not sent:
            raise BlockingIOError
        return sent

    def _flush(self) -> bool:
        """Pass on what is encrypted; returns whether that was all. With the lock held."""
        while self._unsent or self._outgoing.pending:
            data = self._unsent = self._unsent or self._outgoing.read()
            try:
                sent = self._lower.send(data, NOW)
            except BlockingIOError:
                return False
            self._unsent = b"" if sent == len(data) else memoryview(data)[sent:]
        return True

    # --- both ---

    def wait(self, *, reading: bool, writing: bool, timeout: float) -> None:
        if not (reading and not self._starved):
            writing = writing and (self._ready or bool(self._unsent))
            self._lower.wait(reading=reading, writing=writing, timeout=timeout)

    def shut_down(self) -> None:
        with self._lock, contextlib.suppress(OSError):
            with contextlib.suppress(OSError):
                self._tls.unwrap()      # says that we go; it also asks for the peer's answer, which nobody awaits
            self._flush()
        self._lower.shut_down()

    def close(self) -> None:
        self._lower.close()


def wrap(
    stream: Stream,
    context: ssl.SSLContext,
    *,
    server_side: bool = False,
    server_hostname: str | None = None,
    timeout: float = HANDSHAKE_SECONDS,
) -> TLSStream:
    """`stream` with TLS, after the handshake. Raises as `TLSStream.handshake` does, and `stream` is closed then."""
    tls = TLSStream(stream, context, server_side=server_side, server_hostname=server_hostname, timeout=timeout)
    try:
        tls.handshake()
    except BaseException:
        stream.shut_down()
        stream.close()
        raise
    return tls
