"""Servers and channels of the tests, and peers played by hand, whose every byte a test decides."""
from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from goplugin.core.http2 import ClientConnection, Event, Limits, ServerConnection
from goplugin.sync.channel import Channel, channel_to
from goplugin.sync.server import Server, serve_on
from goplugin.sync.stream import SocketStream

from ..aio.probe.probe_grpc import ProbeBase
from ..aio.probe.probe_pb2 import Note

__all__ = [
    "BIDI_STREAM", "CLIENT_STREAM", "MEBIBYTE", "SECONDS", "SERVER_STREAM", "UNARY",
    "Background", "ByHand", "Note", "Probe",
    "background", "calling", "calling_by_hand", "follows", "grpclib_server", "is_in", "listening", "ours", "reads",
    "served_by_hand", "serving", "socket_path", "text_of", "wait_until",
]

UNARY = "/goplugin.tests.aio.Probe/Unary"
SERVER_STREAM = "/goplugin.tests.aio.Probe/ServerStream"
CLIENT_STREAM = "/goplugin.tests.aio.Probe/ClientStream"
BIDI_STREAM = "/goplugin.tests.aio.Probe/BidiStream"
MEBIBYTE = 1 << 20
SECONDS = 20.0
"""When a test gives up on what must happen."""

T = TypeVar("T")
EventT = TypeVar("EventT", bound=Event)
Method = Callable[[Any, Any], Any]


# --- our server --------------------------------------------------------------------------------------------------


def _unexpected(request: Any, context: Any) -> Any:
    raise AssertionError("nobody should call this method")


class Probe(ProbeBase):  # type: ignore[misc]
    """The generated service, with the plain methods that a test gives it."""

    def __init__(
        self,
        unary: Method = _unexpected,
        server_stream: Method = _unexpected,
        client_stream: Method = _unexpected,
        bidi_stream: Method = _unexpected,
    ) -> None:
        self._unary = unary
        self._server_stream = server_stream
        self._client_stream = client_stream
        self._bidi_stream = bidi_stream

    def Unary(self, request: Any, context: Any) -> Any:
        return self._unary(request, context)

    def ServerStream(self, request: Any, context: Any) -> Any:
        return self._server_stream(request, context)

    def ClientStream(self, requests: Any, context: Any) -> Any:
        return self._client_stream(requests, context)

    def BidiStream(self, requests: Any, context: Any) -> Any:
        return self._bidi_stream(requests, context)


def socket_path() -> str:
    """A path for a unix socket, that nobody else has."""
    return str(Path(tempfile.mkdtemp()) / "socket")


@contextlib.contextmanager
def listening(path: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.bind(path)
        sock.listen()
        yield sock


@contextlib.contextmanager
def ours(service: Any) -> Iterator[tuple[Server, str]]:
    """A server of `service`, and its path; afterwards it has ended, threads and all."""
    path = socket_path()
    with listening(path) as sock:
        server = serve_on(sock, [service])
        try:
            yield server, path
        finally:
            server.stop(SECONDS)
    wait_until(lambda: not [thread for thread in threading.enumerate() if thread.name in _OF_A_SERVER])


_OF_A_SERVER = ("goplugin-accept", "goplugin-call", "goplugin-relief")


@contextlib.contextmanager
def calling(path: str) -> Iterator[Channel]:
    channel = channel_to("unix", path)
    try:
        yield channel
    finally:
        channel.close()


@contextlib.contextmanager
def serving(service: Any) -> Iterator[Channel]:
    """A channel to a server of `service`."""
    with ours(service) as (_, path), calling(path) as channel:
        yield channel


# --- grpclib's server --------------------------------------------------------------------------------------------


@contextlib.contextmanager
def grpclib_server() -> Iterator[str]:
    """The path of grpclib's own server of the service in `echo_service`, in a process of its own."""
    path = socket_path()
    command = [sys.executable, "-m", "tests.goplugin.sync.grpclib_server", path]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield path
        finally:
            process.kill()


# --- by hand -----------------------------------------------------------------------------------------------------


class ByHand:
    """A peer played by hand: a machine on a blocking socket."""

    def __init__(self, machine: Any, sock: socket.socket) -> None:
        self.machine = machine
        self.socket = sock
        sock.settimeout(SECONDS)

    def send(self) -> None:
        """Write what the machine has been told to send, if anybody is there to read it."""
        with contextlib.suppress(BrokenPipeError):
            self.socket.sendall(self.machine.data_to_send())

    def receive(self, kind: type[EventT]) -> EventT:
        """The next event of this kind; those before it are dropped."""
        self.send()
        while True:
            while (event := self.machine.next_event()) is not None:
                if isinstance(event, kind):
                    return event
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                data = b""
            if data:
                self.machine.receive_data(data)
            else:
                self.machine.receive_eof()
            self.send()


@contextlib.contextmanager
def served_by_hand(limits: Limits | None = None) -> Iterator[tuple[Channel, ByHand]]:
    """A channel, and the server at its other end."""
    near, far = socket.socketpair()
    with far:
        channel = Channel(SocketStream(near))
        try:
            yield channel, ByHand(ServerConnection(unary_paths=[UNARY], limits=limits), far)
        finally:
            channel.close()


@contextlib.contextmanager
def calling_by_hand(path: str, limits: Limits | None = None) -> Iterator[ByHand]:
    """A client of the server at `path`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.connect(path)
        yield ByHand(ClientConnection(limits=limits), sock)


# --- threads and time --------------------------------------------------------------------------------------------


class Background:
    """A function under way on a thread of its own."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function
        self._result: Any = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._result = self._function()
        except BaseException as error:  # noqa: BLE001 - `result` raises it again
            self._error = error

    @property
    def ident(self) -> int:
        assert self._thread.ident is not None
        return self._thread.ident

    def result(self) -> Any:
        """What the function returned; or raises what it raised."""
        self._thread.join(SECONDS)
        assert not self._thread.is_alive(), "it goes on and on"
        if self._error is not None:
            raise self._error
        return self._result


def background(function: Callable[..., Any], *args: Any, **options: Any) -> Background:
    return Background(lambda: function(*args, **options))


def wait_until(condition: Callable[[], object]) -> None:
    """For what no event tells of."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


@contextlib.contextmanager
def no_threads() -> Iterator[None]:
    """The system has no thread for anybody: none with a stack as large as the whole address space."""
    usual = threading.stack_size(1 << 47)
    try:
        yield
    finally:
        threading.stack_size(usual)


def text_of(message: bytes | None) -> str | None:
    return None if message is None else Note.FromString(message).text


def is_in(ident: int, name: str) -> bool:
    """Whether a thread is in the function of this qualified name, and in none that it calls."""
    frame = sys._current_frames().get(ident)
    return frame is not None and frame.f_code.co_qualname == name


def reads(thread: Background | int) -> bool:
    """Whether a thread waits for bytes from its peer."""
    return is_in(thread if isinstance(thread, int) else thread.ident, "Link.receive")


def follows(thread: Background | int) -> bool:
    """Whether a thread waits for another one that reads."""
    return is_in(thread if isinstance(thread, int) else thread.ident, "Mailbox.hear")
