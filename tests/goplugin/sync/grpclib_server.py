"""grpclib's own server of the echo service, as a process: `python -m tests.goplugin.sync.grpclib_server PATH`."""
from __future__ import annotations

import asyncio
import sys
from typing import Any

from grpclib.const import Status
from grpclib.exceptions import GRPCError
from grpclib.server import Server

from ..aio.probe.probe_grpc import ProbeBase
from ..aio.probe.probe_pb2 import Note


class AsyncEcho(ProbeBase):
    """The methods of `echo_service.EchoService`."""

    async def Unary(self, stream: Any) -> None:
        request = await stream.recv_message()
        verb, _, rest = request.text.partition(" ")
        if verb == "fail":
            code, _, text = rest.partition(" ")
            raise GRPCError(Status[code], text)
        if verb == "wait":
            await asyncio.Event().wait()
        if verb == "metadata":
            await stream.send_initial_metadata(metadata={"first": stream.metadata["key"], "raw-bin": b"\0\xff"})
            await stream.send_message(request)
            await stream.send_trailing_metadata(metadata={"last": stream.metadata["key"]})
        else:
            await stream.send_message(request)

    async def ServerStream(self, stream: Any) -> None:
        request = await stream.recv_message()
        count, _, then = request.text.partition(" ")
        for number in range(int(count)):
            await stream.send_message(Note(text=str(number)))
        if then == "wait":
            await asyncio.Event().wait()
        if then == "fail":
            raise GRPCError(Status.DATA_LOSS, "no more")

    async def ClientStream(self, stream: Any) -> None:
        await stream.send_message(Note(text="".join([note.text async for note in stream])))

    async def BidiStream(self, stream: Any) -> None:
        async for note in stream:
            await stream.send_message(note)


async def main() -> None:
    server = Server([AsyncEcho()])
    await server.start(path=sys.argv[1])
    print("ready", flush=True)
    await server.wait_closed()


if __name__ == "__main__":
    asyncio.run(main())
