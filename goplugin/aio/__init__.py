"""gRPC over asyncio: grpclib's contract on this project's own HTTP/2 machine.

`Channel` and `Server` stand where grpclib's stand: stubs, services, listeners and error handling written for grpclib
run on them unchanged, and either end may meet grpclib, grpc-go or grpcio at the other. `goplugin.serve` and
`goplugin.Client` use them.

grpclib's own transport, on the h2 library, is the oracle. It is selected by constructing grpclib.client.Channel or
grpclib.server.Server, which take the same arguments, instead; every test of tests/goplugin/aio/test_conformance.py runs
on all four pairings.

What is grpclib's, and what is a plugin's:

    waiting, transport, translation, grpclib_parts      one machine on one connection, and grpclib's words for it
    channel, client_stream, server, server_stream       the contract, either end
    plain, plugin_server, services, serving             a plugin: plain methods on threads, errors in Go's way
"""
from __future__ import annotations

from .channel import Channel
from .server import Server

__all__ = ["Channel", "Server"]
