"""A plugin with the services that its arguments name beside its own, whose author knew of no others.

`line`, among them, comes before the handshake line that it is to print, with {} for the path of its socket.
"""
from __future__ import annotations

import os
import sys
import threading

from contract import ECHO_PATH, Text

from goplugin.core.environ import PluginEnvironment
from goplugin.plugin import Method, Streams
from goplugin.stdio import OutputBuffer
from goplugin.sync.server import serve_on
from goplugin.sync.services import BrokerService, ControllerService, HealthService, StdioService
from goplugin.transport import listen


class Echo:
    def __mapping__(self) -> dict[str, Method]:
        return {ECHO_PATH: Method(self.echo, Streams(), Text, Text)}

    def echo(self, request: Text, context: object) -> Text:
        return request


stopped = threading.Event()
known = {
    "health": HealthService,
    "broker": lambda: BrokerService(None),
    "controller": lambda: ControllerService(lambda: None, stopped.set),
    "stdio": lambda: StdioService(OutputBuffer()),
}
line = sys.argv[sys.argv.index("line") + 1] if "line" in sys.argv else "1|1|unix|{}|grpc|"
with listen(PluginEnvironment.from_environ(os.environ)) as listener:
    server = serve_on(listener.socket, [Echo(), *(known[name]() for name in sys.argv[1:] if name in known)])
    print(line.format(listener.address), flush=True)
    stopped.wait()
    server.stop(1.0)
