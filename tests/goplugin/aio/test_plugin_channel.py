"""The channel that a host and a broker have. What travels over it, other tests show."""
from __future__ import annotations

import asyncio

import pytest

from goplugin.aio.plugin_channel import channel_to
from goplugin.core.errors import ConfigError
from goplugin.tls import client_context

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


def test_other_networks_are_unknown() -> None:
    with pytest.raises(ConfigError, match=r"^unknown address type: host:1$"):
        channel_to("udp", "host:1")
