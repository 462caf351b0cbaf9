"""A plugin that does what a test sends it: the body of a function, run by a handler of each kind.

Its arguments are `outlive`, if it is not to end with its host; `plain`, if it is to have no handler of the asynchronous
kind, so that the blocking runtime serves it; and its semantic version, if it has one.

All bodies share one namespace, so that an event that one call has set up is there for the next. `context` is the
call's.
"""
from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from contract import ASYNC_PATH, ECHO_PATH, HANDSHAKE, RUN_PATH, STREAM_PATH, Text
from grpclib.const import Cardinality, Handler

from goplugin import Code, GRPCPlugin, GRPCServer, RemoteError, ServeConfig, serve

NAMESPACE: dict[str, Any] = {
    **{module.__name__: module for module in (asyncio, logging, os, signal, subprocess, sys, threading, time)},
    "Code": Code,
    "RemoteError": RemoteError,
}


def function(body: str, kind: str = "def") -> Callable[..., Any]:
    scope: dict[str, Any] = {}
    exec(f"{kind} function(context):\n{textwrap.indent(textwrap.dedent(body), '    ')}", NAMESPACE, scope)
    return scope["function"]


class ProbeServicer:
    def __mapping__(self) -> dict[str, Handler]:
        return {
            ECHO_PATH: Handler(self.echo, Cardinality.UNARY_UNARY, Text, Text),
            RUN_PATH: Handler(self.run, Cardinality.UNARY_UNARY, Text, Text),
            ASYNC_PATH: Handler(self.run_async, Cardinality.UNARY_UNARY, Text, Text),
            STREAM_PATH: Handler(self.stream, Cardinality.UNARY_STREAM, Text, Text),
        }

    def echo(self, request: Text, context: object) -> Text:
        return request

    def run(self, request: Text, context: object) -> Text:
        return Text(str(function(request.text)(context)))

    async def run_async(self, stream: Any) -> None:
        request = await stream.recv_message()
        result = await function(request.text, "async def")(stream)
        await stream.send_message(Text(str(result)))

    def stream(self, request: Text, context: object) -> Iterator[Text]:
        for result in function(request.text)(context):
            yield Text(str(result))


class PlainServicer(ProbeServicer):
    def __mapping__(self) -> dict[str, Handler]:
        return {path: handler for path, handler in super().__mapping__().items() if path != ASYNC_PATH}


class ProbePlugin(GRPCPlugin):
    def __init__(self, servicer: type[ProbeServicer] = ProbeServicer) -> None:
        self._servicer = servicer

    def grpc_server(self, server: GRPCServer) -> None:
        server.add_service(self._servicer())


if __name__ == "__main__":
    arguments = sys.argv[1:]
    version = next((argument for argument in arguments if argument not in ("outlive", "plain")), None)
    plugin = ProbePlugin(PlainServicer if "plain" in arguments else ProbeServicer)
    outlive = "outlive" in arguments
    serve(ServeConfig(handshake=HANDSHAKE, plugins={"probe": plugin}, outlive_host=outlive, version=version))
