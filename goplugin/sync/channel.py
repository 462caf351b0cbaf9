"""Blocking calls to a gRPC server: the client's half of the blocking runtime.

Any number of threads may call over one channel at a time; `mailroom.py` says how they share it.
"""
from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from ..core.errors import LocalProtocolError, PluginLostError
from ..core.http2 import ClientConnection, UnaryResponse
from .call import Call, as_error
from .link import Link
from .mailroom import FOREVER, Mailroom
from .stream import connect
from .watcher import watch

if TYPE_CHECKING:
    import ssl

    from ..core.http2 import MetadataLike
    from .stream import Stream

__all__ = ["Channel", "channel_over", "channel_to"]


def channel_to(
    network: str, address: str, *, tls: ssl.SSLContext | None = None, timeout: float | None = None
) -> Channel:
    """A channel to the address of a handshake line, with `tls` to a server whose certificate is for NAME.

    The server has `timeout` seconds for the TLS handshake, or twenty, whichever is less.
    Raises PluginLostError if nobody listens there, or nobody whom the context trusts.
    """
    try:
        return channel_over(connect(network, address), tls=tls, timeout=timeout)
    except OSError as error:
        raise PluginLostError(f"connection error: dial {network} {address}: {error.strerror or error}") from error


def channel_over(stream: Stream, *, tls: ssl.SSLContext | None = None, timeout: float | None = None) -> Channel:
    """A channel over this stream, which is the channel's from now on; as `channel_to`, but raises OSError."""
    if tls is not None:
        from ..tls import NAME, handshake_seconds
        from .tls import wrap  # not before somebody needs it: it imports ssl

        stream = wrap(stream, tls, server_hostname=NAME, timeout=handshake_seconds(timeout))
    channel = Channel(stream, scheme="http" if tls is None else "https")
    watch(channel)
    return channel


class Channel:
    """One connection; a context manager that closes it.

    It is not made anew: when it ends the plugin is gone, and every later call says so.

    An exception that comes from elsewhere, such as KeyboardInterrupt, cancels the call that it interrupts. If it comes
    while the call is not waiting but at work on what all calls share, it ends the connection with it.
    """

    def __init__(self, stream: Stream, *, scheme: str = "http") -> None:
        self._machine = ClientConnection(scheme=scheme)
        self._link = Link(self._machine, stream)
        self._lock = self._link.lock
        self._mailroom = Mailroom(self._link)
        with self._lock:
            self._link.flush()

    def unary(
        self, path: str, message: bytes, *, metadata: MetadataLike = (), timeout: float | None = None
    ) -> UnaryResponse:
        """Call a method with one message and wait for its only reply; `timeout` is in seconds.

        Raises RemoteError for an answer that is no success, and for a deadline that has passed; PluginLostError if the
        connection is gone; LocalProtocolError for a path or metadata that cannot be sent.
        """
        deadline = FOREVER if timeout is None else monotonic() + timeout
        link, mailroom = self._link, self._mailroom
        stream_id, mailbox = 0, None
        try:
            while True:
                with self._lock:
                    if not (mailroom.refusal or link.busy):
                        # `link.do`, written out: it would cost more than all else here.
                        link.busy = True
                        try:
                            stream_id = self._machine.send_unary_request(path, message, metadata, timeout)
                        except LocalProtocolError:
                            link.busy = False
                            if self._machine.can_call:
                                raise
                        else:
                            link.flush()
                            if mailroom.leader:
                                mailbox = mailroom.open(stream_id)
                            else:
                                mailroom.leader = stream_id
                            break
                timeout = mailroom.wait_for_room(deadline)
            if mailbox is None:
                event = mailroom.lead(stream_id, deadline)
            else:
                event = mailroom.wait(stream_id, mailbox, deadline)
        except BaseException:
            mailroom.give_up(stream_id)
            raise
        if isinstance(event, UnaryResponse) and not event.status.code:
            return event
        raise as_error(event, deadline)

    def open(self, path: str, *, metadata: MetadataLike = (), timeout: float | None = None) -> Call:
        """Begin a call of any kind. Raises as `unary` does."""
        deadline = FOREVER if timeout is None else monotonic() + timeout
        link, mailroom = self._link, self._mailroom
        stream_id = 0
        try:
            while True:
                with self._lock:
                    if not (mailroom.refusal or link.busy) and self._machine.can_call:
                        stream_id = link.do(self._machine.send_request, path, metadata, timeout)
                        return Call(link, mailroom, stream_id, deadline)
                timeout = mailroom.wait_for_room(deadline)
        except BaseException:
            mailroom.give_up(stream_id)
            raise

    def look(self) -> bool:
        """Answer what came while nobody called (a PING), and take note of the end; returns whether it is not there yet.

        Never waits. A channel in use does it by itself, and one from `channel_to` has somebody who does it.
        """
        return self._mailroom.look()

    def close(self) -> None:
        """End the connection; whoever waits for a call gets PluginLostError. Idempotent, and from any thread."""
        with self._lock:
            if not self._mailroom.refusal:
                self._link.do(self._machine.send_goaway)
            self._mailroom.end("grpc: the client connection is closing")

    def __enter__(self) -> Channel:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
