"""The matrix plugin put together by hand, over one multiplexed connection, with TLS if the host wants that.

The argument is the runtime, `sync` or `aio`.
"""
from __future__ import annotations

import asyncio
import os
import sys
import threading
import time

from goplugin.aio.broker_mux import MultiplexedBroker as AsyncMultiplexedBroker
from goplugin.aio.broker_mux import accept_session as accept_session_async
from goplugin.aio.plugin_server import PluginServer
from goplugin.aio.services import BrokerService as AsyncBrokerService
from goplugin.aio.services import ControllerService as AsyncControllerService
from goplugin.aio.services import HealthService as AsyncHealthService
from goplugin.core.environ import PluginEnvironment
from goplugin.core.handshake import format_handshake
from goplugin.sync.broker_mux import MultiplexedBroker, accept_session
from goplugin.sync.server import Server
from goplugin.sync.services import BrokerService, ControllerService, HealthService
from goplugin.tls import KeyPair, client_context, make_certificate, server_context
from goplugin.transport import Listener, listen

from .matrix import AsyncMatrixService, MatrixService

SECONDS = 1.0


def announce(listener: Listener, own: KeyPair | None) -> None:
    certificate = None if own is None else own.certificate
    line = format_handshake(
        1, listener.network, listener.address, server_cert=certificate, multiplex_supported=True
    )
    print(line, flush=True)


def run(listener: Listener, own: KeyPair | None, host: str | None) -> None:
    stopped = threading.Event()
    server_tls = None if own is None else server_context(own, host)
    client_tls = None if own is None else client_context(own, host)
    broker = MultiplexedBroker(server_tls=server_tls, client_tls=client_tls)
    controller = ControllerService(lambda: None, stopped.set)
    server = Server([HealthService(), controller, BrokerService(broker), MatrixService(broker, 1)], tls=server_tls)
    announce(listener, own)
    session = accept_session(listener, lambda: True)
    assert session is not None
    broker.start(session, server, on_end=stopped.set)
    stopped.wait()
    broker.close()
    server.stop(SECONDS)
    session.close()


async def run_async(listener: Listener, own: KeyPair | None, host: str | None) -> None:
    stopped = asyncio.Event()

    async def nothing() -> None:
        pass

    server_tls = None if own is None else server_context(own, host)
    client_tls = None if own is None else client_context(own, host)
    broker = AsyncMultiplexedBroker(server_tls=server_tls, client_tls=client_tls)
    controller = AsyncControllerService(nothing, stopped.set)
    server = PluginServer(
        [AsyncHealthService(), controller, AsyncBrokerService(broker), AsyncMatrixService(broker, 1)]
    )
    announce(listener, own)
    session = await accept_session_async(listener)
    task = broker.start(session, server)
    task.add_done_callback(lambda task: stopped.set())
    await stopped.wait()
    await broker.close()
    await server.end(SECONDS)
    session.close()
    await session.wait_closed()


def main() -> None:
    environment = PluginEnvironment.from_environ(os.environ)
    assert environment.multiplex
    own = None if environment.client_cert is None else make_certificate(time.time())
    listener = listen(environment)
    if sys.argv[1] == "aio":
        asyncio.run(run_async(listener, own, environment.client_cert))
    else:
        run(listener, own, environment.client_cert)


if __name__ == "__main__":
    main()
