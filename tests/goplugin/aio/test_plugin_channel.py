"""The channel that a host and a broker have. What travels over it, other tests show."""
from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import pytest

from goplugin.aio.plugin_channel import channel_to
from goplugin.core.errors import ConfigError, PluginLostError
from goplugin.grpc import unary_unary
from goplugin.tls import client_context

from ..harness import asynchronous
from ..plugins.contract import ECHO_PATH, Text
from ..tls_support import HOST, PLUGIN


@pytest.mark.parametrize(("network", "address"), [("unix", "/tmp/plugin1"), ("tcp", "127.0.0.1:1"), ("tcp", "[::1]:1")])
def test_a_channel_connects_at_its_first_call(network: str, address: str) -> None:
    async def main() -> None:
        channel = channel_to(network, address)
        assert channel.scheme == "http"
        channel.close()
        channel = channel_to(network, address, tls=client_context(HOST, PLUGIN.certificate))
        assert channel.scheme == "https"
        channel.close()

    asyncio.run(main())


@pytest.mark.parametrize(("network", "address"), [("unix", "/nowhere/plugin1"), ("tcp", "127.0.0.1:1")])
@asynchronous
async def test_who_cannot_connect_says_where(network: str, address: str) -> None:
    with pytest.raises(PluginLostError, match=f"connection error: dial {network} {address}: "):
        await unary_unary(channel_to(network, address), ECHO_PATH, Text(""), Text)


@asynchronous
async def test_what_the_system_says_keeps_its_type() -> None:
    with pytest.raises(FileNotFoundError, match=r"^dial unix /nowhere/plugin1: No such file or directory$"):
        await channel_to("unix", "/nowhere/plugin1").__connect__()


@asynchronous
async def test_a_server_has_its_time_for_the_handshake_and_no_more(tmp_path: Path) -> None:
    path = str(tmp_path / "silent")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        channel = channel_to("unix", path, tls=client_context(HOST, PLUGIN.certificate), timeout=0.05)

        with pytest.raises(PluginLostError, match=r"authentication handshake failed: context deadline exceeded$"):
            await unary_unary(channel, ECHO_PATH, Text(""), Text)
    os.unlink(path)


def test_other_networks_are_unknown() -> None:
    with pytest.raises(ConfigError, match=r"^unknown address type: host:1$"):
        channel_to("udp", "host:1")
