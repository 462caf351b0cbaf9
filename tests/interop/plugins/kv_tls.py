"""The key-value plugin of `kv.py` put together by hand, over TLS, for one Go host.

The arguments are the runtime, `sync` or `aio`, and whose certificate it serves with: `own`, which its line announces,
or a `stranger`'s.
"""
from __future__ import annotations

import asyncio
import os
import ssl
import sys
import threading
import time

from goplugin.aio.plugin_server import PluginServer
from goplugin.aio.services import ControllerService as AioControllerService
from goplugin.aio.services import HealthService as AioHealthService
from goplugin.core.environ import PluginEnvironment
from goplugin.core.handshake import format_handshake
from goplugin.sync.server import serve_on
from goplugin.sync.services import ControllerService, HealthService
from goplugin.tls import make_certificate, server_context
from goplugin.transport import Listener, listen

from .kv import KVService

SECONDS = 1.0


def announce(listener: Listener, certificate: bytes) -> None:
    print(format_handshake(1, listener.network, listener.address, server_cert=certificate), flush=True)


def run(listener: Listener, tls: ssl.SSLContext, certificate: bytes) -> None:
    stopped = threading.Event()
    services = [HealthService(), ControllerService(lambda: None, stopped.set), KVService(1)]
    server = serve_on(listener.socket, services, tls=tls)
    announce(listener, certificate)
    stopped.wait()
    server.stop(SECONDS)


async def run_aio(listener: Listener, tls: ssl.SSLContext, certificate: bytes) -> None:
    stopped = asyncio.Event()

    async def nothing() -> None:
        pass

    server = PluginServer([AioHealthService(), AioControllerService(nothing, stopped.set), KVService(1)])
    await server.start(sock=listener.socket, ssl=tls)
    announce(listener, certificate)
    await stopped.wait()
    await server.end(SECONDS)


if __name__ == "__main__":
    runtime, whose = sys.argv[1:]
    environment = PluginEnvironment.from_environ(os.environ)
    own = make_certificate(time.time())
    served = own if whose == "own" else make_certificate(time.time())
    context = server_context(served, environment.client_cert)
    with listen(environment) as listener:
        if runtime == "aio":
            asyncio.run(run_aio(listener, context, own.certificate))
        else:
            run(listener, context, own.certificate)
