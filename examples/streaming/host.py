#!/usr/bin/env python3
"""Write a file and read it back with a streaming plugin: this directory's, or that which STREAMER_PLUGIN says how to
start. An asyncio program: its stubs are grpclib's own.

    host.py FILE
"""
from __future__ import annotations

import asyncio
import os
import shlex
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from grpclib import GRPCError
from shared import HANDSHAKE, NAME
from streamer_grpc import StreamerServiceStub
from streamer_pb2 import Configure, Read, Write

from goplugin import Client, ClientConfig, GRPCClient, GRPCPlugin, PluginError

OWN_PLUGIN = [sys.executable, "-m", "goplugin", "run", str(Path(__file__).with_name("plugin.py"))]
CHUNK_SIZE = 10


class Streamer:
    """What this program knows of a plugin."""

    def __init__(self, client: GRPCClient) -> None:
        self._stub = StreamerServiceStub(client.channel)

    async def configure(self, path: str) -> None:
        await self._stub.Configure(Configure.Request(path=path, chunk_size=CHUNK_SIZE))

    async def write(self, data: bytes) -> None:
        async with self._stub.Write.open() as stream:
            for start in range(0, len(data), CHUNK_SIZE):
                await stream.send_message(Write.RequestChunk(bytes_to_write=data[start : start + CHUNK_SIZE]))
            await stream.end()
            await stream.recv_message()

    async def read(self) -> AsyncIterator[bytes]:
        async with self._stub.Read.open() as stream:
            await stream.send_message(Read.Request(), end=True)
            async for piece in stream:
                yield piece.read_bytes


class StreamerPlugin(GRPCPlugin):
    def grpc_client(self, client: GRPCClient) -> Streamer:
        return Streamer(client)


async def main(path: str) -> None:
    config = ClientConfig(
        handshake=HANDSHAKE,
        command=shlex.split(os.environ.get("STREAMER_PLUGIN", "")) or OWN_PLUGIN,
        plugins={NAME: StreamerPlugin()},
    )
    async with Client(config) as client:
        streamer: Streamer = await client.dispense(NAME)
        await streamer.configure(path)
        await streamer.write(b"Sphinx of black quartz, judge my vow")
        async for piece in streamer.read():
            print(piece.decode())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    try:
        asyncio.run(main(sys.argv[1]))
    except GRPCError as error:
        raise SystemExit(f"error: {error.message}") from None
    except PluginError as error:
        raise SystemExit(f"error: {error}") from None
