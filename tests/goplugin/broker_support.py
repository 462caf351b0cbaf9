"""What the tests of the brokers share in both runtimes: the two sides of a plugin connection, in either mode."""
from __future__ import annotations

import gc
import os
import ssl
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from goplugin.tls import client_context, server_context

from .tls_support import HOST, PLUGIN

__all__ = ["BROKERS", "NOBODY_ACCEPTS", "NO_TLS", "OF_HOST", "OF_PLUGIN", "Contexts", "Pair"]

BROKERS = pytest.mark.parametrize("accepting", ["host", "plugin"])

NOBODY_ACCEPTS = {
    "plain": "^timeout waiting for connection info$",
    "multiplexed":
        "^failed to knock before dialling client: timeout waiting for multiplexing knock handshake on id 1$",
}
"""By mode: what a dial of id 1 says then."""

FILES = "/proc/self/fd"


class Contexts(NamedTuple):
    """One side's, for what it accepts and for what it dials."""

    server: ssl.SSLContext | None = None
    client: ssl.SSLContext | None = None


NO_TLS = Contexts()
OF_HOST = Contexts(server_context(HOST, PLUGIN.certificate), client_context(HOST, PLUGIN.certificate))
OF_PLUGIN = Contexts(server_context(PLUGIN, HOST.certificate), client_context(PLUGIN, HOST.certificate))


class Pair(NamedTuple):
    """The two sides of one plugin connection: their brokers, the host's channel, the plugin's server.

    `directory` is where both listen, `address` the plugin's own socket. `sessions` are the host's and the plugin's in
    multiplexed mode; there are none in plain mode.
    """

    host: Any
    plugin: Any
    channel: Any
    server: Any
    directory: Path
    address: str
    sessions: tuple[Any, ...] = ()

    def sides(self, accepting: str) -> tuple[Any, Any]:
        """The broker that accepts, and the other."""
        return (self.host, self.plugin) if accepting == "host" else (self.plugin, self.host)

    @property
    def brokered(self) -> list[str]:
        """The sockets of what has been accepted."""
        return [str(path) for path in self.directory.iterdir() if str(path) != self.address]

    @property
    def open_streams(self) -> list[int]:
        """How many each session has."""
        return [len(session._streams) for session in self.sessions]

    def resources(self) -> set[str]:
        """The files that this process has open, the sockets of what has been accepted, and the streams."""
        gc.collect()
        # listdir has a descriptor of its own.
        files = [number for number in os.listdir(FILES) if os.path.lexists(os.path.join(FILES, number))]
        streams = [(index, number) for index, session in enumerate(self.sessions) for number in session._streams]
        return {f"file {number}" for number in files} | {*self.brokered} | {f"stream {names}" for names in streams}
