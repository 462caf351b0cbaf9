#!/usr/bin/env python3
"""A file in pieces, for any host that knows go-plugin's streaming example.

However long the file is, there is one piece of it in memory at a time.
"""
# The generated base is typed for coroutines; a plain method takes the request, and returns the reply.
# pyright: reportIncompatibleMethodOverride=false
from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import streamer_grpc
from shared import HANDSHAKE, NAME
from streamer_pb2 import Configure, Read, Write

from goplugin import CallContext, Code, GRPCPlugin, GRPCServer, RemoteError, ServeConfig, serve


class Settings(NamedTuple):
    path: str
    chunk_size: int


class Streamer(streamer_grpc.StreamerServiceBase):
    """A method takes a stream as an iterator, and gives one as a generator does."""

    def __init__(self) -> None:
        self._configured: Settings | None = None

    def Configure(self, request: Configure.Request, context: CallContext) -> Configure.Response:
        if request.chunk_size < 1:
            raise RemoteError(Code.INVALID_ARGUMENT, f"chunk_size is {request.chunk_size}: it must be 1 or more")
        self._configured = Settings(request.path, request.chunk_size)
        return Configure.Response()

    def Read(self, request: Read.Request, context: CallContext) -> Iterator[Read.ResponseChunk]:
        path, chunk_size = self._settings()
        with open(path, "rb") as file:
            while piece := file.read(chunk_size):
                yield Read.ResponseChunk(read_bytes=piece)

    def Write(self, requests: Iterator[Write.RequestChunk], context: CallContext) -> Write.Response:
        with open(self._settings().path, "wb") as file:
            for request in requests:
                file.write(request.bytes_to_write)
        return Write.Response()

    def _settings(self) -> Settings:
        if self._configured is None:
            raise RemoteError(Code.FAILED_PRECONDITION, "there is no file yet: call Configure first")
        return self._configured


class StreamerPlugin(GRPCPlugin):
    def grpc_server(self, server: GRPCServer) -> None:
        server.add_service(Streamer())


if __name__ == "__main__":
    serve(ServeConfig(handshake=HANDSHAKE, plugins={NAME: StreamerPlugin()}))
