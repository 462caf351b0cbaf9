"""gRPC over asyncio: grpclib's contract on this project's own HTTP/2 machine.

`Channel` and `Server` stand where grpclib's stand: stubs, services, listeners and error handling written for grpclib
run on them unchanged, and either end may meet grpclib, grpc-go or grpcio at the other.
"""
from __future__ import annotations

from .channel import Channel
from .server import Server

__all__ = ["Channel", "Server"]
