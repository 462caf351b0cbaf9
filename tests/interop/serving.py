"""Servers of one service on a port of 127.0.0.1, in either runtime, while a test looks on from another process."""
from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

from goplugin import aio
from goplugin.sync.server import serve_on

__all__ = ["asyncio_server", "blocking_server"]

_END_SECONDS = 5.0


@contextlib.contextmanager
def blocking_server(service: Any) -> Iterator[int]:
    """The port of a server of plain methods."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        server = serve_on(sock, [service])
        try:
            yield sock.getsockname()[1]
        finally:
            server.stop(_END_SECONDS)


@contextlib.contextmanager
def asyncio_server(service: Any) -> Iterator[int]:
    """The port of a server of coroutines, whose loop runs on a thread of its own."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        started = threading.Event()
        end: list[Any] = []

        async def serve() -> None:
            stop = asyncio.Event()
            end.extend((asyncio.get_running_loop().call_soon_threadsafe, stop.set))
            server = aio.Server([service])
            await server.start(sock=sock)
            started.set()
            await stop.wait()
            await server.end(_END_SECONDS)

        thread = threading.Thread(target=lambda: asyncio.run(serve()))
        thread.start()
        try:
            assert started.wait(_END_SECONDS)
            yield sock.getsockname()[1]
        finally:
            call_soon, stop = end
            call_soon(stop)
            thread.join()
