"""gRPC's own interoperability service, for both of our runtimes.

`testing_*` are generated from testing.proto, by protoc of grpcio-tools 1.73.1 and grpclib's plugin.
"""
from __future__ import annotations

__all__ = ["INITIAL_KEY", "REPLY_SIZES", "REQUEST_SIZES", "TRAILING_KEY"]

# What the protocol's cases send, and the metadata that a server echoes.
REQUEST_SIZES = (27_182, 8, 1_828, 45_904)
REPLY_SIZES = (31_415, 9, 2_653, 58_979)
INITIAL_KEY = "x-grpc-test-echo-initial"
TRAILING_KEY = "x-grpc-test-echo-trailing-bin"
