"""Generated stubs over a blocking channel.

The code that grpclib's generator writes says of each method its path, its messages and which side streams, and that is
all a blocking call needs. A stub of the same class whose methods block:

    greeter = stub(GreeterStub, client.channel)
    reply = greeter.SayHello(HelloRequest(name="you"), timeout=5.0)
    for feature in greeter.ListFeatures(area): ...

A method's `open` begins a call of any kind, to be made message by message, with the metadata around them.
"""
from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from grpclib import client as grpclib_client

from ..core.errors import ConfigError, RemoteError
from ..core.status import Code

if TYPE_CHECKING:
    from ..core.http2 import Metadata, MetadataLike, Status
    from .call import Call
    from .channel import Channel

__all__ = ["StreamStream", "StreamUnary", "StubCall", "UnaryStream", "UnaryUnary", "stub"]

# Go's words for them.
_NO_MESSAGE = "cardinality violation: received no response message from non-server-streaming RPC"
_TWO_MESSAGES = "cardinality violation: expected <EOF> for non server-streaming RPCs, but received another message"


def stub(stub_class: Callable[[Any], object], channel: Channel) -> Any:
    """A `stub_class`, as grpclib's generator wrote it, whose methods are those below.

    Its type is open: that of the class says that its methods are asynchronous.
    Raises ConfigError for a class that has no such methods.
    """
    made = stub_class(channel)
    members: dict[str, Any] = vars(made)
    methods = {name: member for name, member in members.items() if type(member) in _KINDS}
    if not methods:
        raise ConfigError(f"{stub_class!r} is no stub that grpclib's generator wrote")
    for name, method in methods.items():
        members[name] = _KINDS[type(method)](channel, method.name, method.request_type, method.reply_type)
    return made


class _Method:
    """One method of a service. `timeout` is in seconds, `metadata` pairs of key and value.

    Calls raise RemoteError for an end that is no success, and for a deadline that has passed; PluginLostError if the
    connection is gone; TypeError for a message of another type; LocalProtocolError for metadata that cannot be sent.
    """

    __slots__ = ("_channel", "_path", "_reply_type", "_request_type")

    def __init__(self, channel: Channel, path: str, request_type: Any, reply_type: Any) -> None:
        self._channel = channel
        self._path = path
        self._request_type = request_type
        self._reply_type = reply_type

    def open(self, *, timeout: float | None = None, metadata: MetadataLike = ()) -> StubCall:
        """Begin a call; nothing of the request is sent yet."""
        call = self._channel.open(self._path, metadata=metadata, timeout=timeout)
        return StubCall(call, self._request_type, self._reply_type)


class UnaryUnary(_Method):
    """One request, one reply."""

    __slots__ = ()

    def __call__(self, request: Any, *, timeout: float | None = None, metadata: MetadataLike = ()) -> Any:
        data = _encoded(request, self._request_type)
        response = self._channel.unary(self._path, data, metadata=metadata, timeout=timeout)
        return _decoded(response.message or b"", self._reply_type)


class UnaryStream(_Method):
    """One request, any number of replies: those that the call, as an iterator, gives."""

    __slots__ = ()

    def __call__(self, request: Any, *, timeout: float | None = None, metadata: MetadataLike = ()) -> StubCall:
        data = _encoded(request, self._request_type)
        call = self._channel.open(self._path, metadata=metadata, timeout=timeout)
        call.send(data, end=True)
        return StubCall(call, self._request_type, self._reply_type)


class StreamUnary(_Method):
    """Any number of requests, taken one by one as they can be sent; then one reply."""

    __slots__ = ()

    def __call__(self, requests: Iterable[Any], *, timeout: float | None = None, metadata: MetadataLike = ()) -> Any:
        with self.open(timeout=timeout, metadata=metadata) as call:
            call.send_all(requests)
            reply = call.receive()
            if reply is None:
                raise RemoteError(Code.INTERNAL, _NO_MESSAGE)
            if call.receive() is not None:
                raise RemoteError(Code.INTERNAL, _TWO_MESSAGES)
            return reply


class StreamStream(_Method):
    """Any number of requests, which a thread of ours takes and sends, and of replies, as for UnaryStream.

    What the iterable of requests raises ends the call, and is raised where the replies are awaited. The thread that
    takes them ends when the call has, but not before the iterable has given its next one.
    """

    __slots__ = ()

    def __call__(
        self, requests: Iterable[Any], *, timeout: float | None = None, metadata: MetadataLike = ()
    ) -> StubCall:
        call = self.open(timeout=timeout, metadata=metadata)
        threading.Thread(target=call.send_or_fail, args=(requests,), name="goplugin-requests", daemon=True).start()
        return call


class StubCall:
    """A call that is under way. One thread may send while another one receives.

    It is an iterator over the replies. Who does not take all of them uses it as a context manager, or cancels it: a
    call that nobody ends stays open as long as its deadline and the connection.
    """

    def __init__(self, call: Call, request_type: Any, reply_type: Any) -> None:
        self._call = call
        self._request_type = request_type
        self._reply_type = reply_type
        self._failure: BaseException | None = None

    def send(self, request: Any, *, end: bool = False) -> bool:
        """Send one message, and with `end` the end of the request; waits until all of it is on its way.

        Returns False if the call is over and nobody wants messages any more; `receive` tells why.
        """
        return self._call.send(_encoded(request, self._request_type), end=end)

    def send_all(self, requests: Iterable[Any]) -> None:
        """Send messages, as long as somebody wants them, and then the end of the request."""
        for request in requests:
            if not self.send(request):
                return
        self.end()

    def send_or_fail(self, requests: Iterable[Any]) -> None:
        """`send_all`, where nobody waits for it: what it raises ends the call, and is raised by `receive`."""
        try:
            self.send_all(requests)
        except BaseException as error:  # noqa: BLE001 - the border: what gives the requests is the caller's own code
            self._failure = error
            self.cancel()

    def end(self) -> None:
        """There are no more requests."""
        self._call.end()

    def receive(self) -> Any:
        """The next reply, or None if the call has ended well."""
        try:
            message = self._call.receive()
        except RemoteError:
            if self._failure is not None:
                raise self._failure from None
            raise
        return None if message is None else _decoded(message, self._reply_type)

    def __iter__(self) -> StubCall:
        return self

    def __next__(self) -> Any:
        reply = self.receive()
        if reply is None:
            raise StopIteration
        return reply

    def initial_metadata(self) -> Metadata:
        """What the server said before its first reply, when it has; () if it ended the call without."""
        return self._call.initial_metadata()

    @property
    def status(self) -> Status | None:
        """How the call ended, with the trailing metadata; None until `receive` has come upon the end."""
        return self._call.status

    def cancel(self) -> None:
        """End the call if it still goes on; from any thread. A thread that waits for it gets RemoteError CANCELLED."""
        self._call.cancel()

    def __enter__(self) -> StubCall:
        return self

    def __exit__(self, *exc: object) -> None:
        self._call.__exit__(*exc)


_KINDS: dict[type, type[_Method]] = {
    grpclib_client.UnaryUnaryMethod: UnaryUnary,
    grpclib_client.UnaryStreamMethod: UnaryStream,
    grpclib_client.StreamUnaryMethod: StreamUnary,
    grpclib_client.StreamStreamMethod: StreamStream,
}


def _encoded(request: Any, request_type: Any) -> bytes:
    if not isinstance(request, request_type):
        raise TypeError(f"the request must be a {request_type.__name__}, not a {type(request).__name__}")
    return request.SerializeToString()


def _decoded(message: bytes, reply_type: Any) -> Any:
    try:
        return reply_type.FromString(message)
    except Exception as error:  # the border: every message class has its own exceptions
        raise RemoteError(Code.INTERNAL, f"grpc: failed to unmarshal the received message: {error}") from error
