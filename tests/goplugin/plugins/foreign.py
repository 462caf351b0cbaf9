"""A plugin that owes nothing to goplugin's server: TCP, a short line, and a stdio service as the argument says."""
from __future__ import annotations

import asyncio
import sys
from typing import Any

from grpclib.const import Cardinality, Handler, Status
from grpclib.exceptions import GRPCError
from grpclib.server import Server

from goplugin.aio.services import HealthService
from goplugin.core.messages import STREAM_STDIO_PATH, Empty, StdioData


class Stdio:
    """Does not exist, sends something on a channel that nobody knows, or sends what is no message at all."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def __mapping__(self) -> dict[str, Handler]:
        return {STREAM_STDIO_PATH: Handler(self.stream_stdio, Cardinality.UNARY_STREAM, Empty, object)}

    async def stream_stdio(self, stream: Any) -> None:
        await stream.recv_message()
        if self._kind == "no-stdio":
            raise GRPCError(Status.UNIMPLEMENTED, "unknown service plugin.GRPCStdio")
        if self._kind == "broken-stdio":
            await stream.send_message(_Broken())
        else:
            for channel in (7, 1):
                await stream.send_message(StdioData(channel, b"on channel %d" % channel))


class _Broken:
    def SerializeToString(self) -> bytes:
        return b"\xff"


async def main() -> None:
    server = Server([HealthService(), *map(Stdio, sys.argv[1:])])
    await server.start("127.0.0.1", 0)
    host, port = server._server.sockets[0].getsockname()
    print(f"1|1|tcp|{host}:{port}|grpc", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
