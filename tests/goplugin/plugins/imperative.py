"""The probe served by a PluginServer; the argument is the network."""
from __future__ import annotations

import asyncio
import sys

from contract import HANDSHAKE
from probe import NAMESPACE, ProbeServicer

from goplugin import PluginServer


async def main() -> None:
    plugin = PluginServer(
        plugin_version=HANDSHAKE.protocol_version,
        magic_cookie_key=HANDSHAKE.magic_cookie_key,
        magic_cookie_value=HANDSHAKE.magic_cookie_value,
        network=sys.argv[1] if sys.argv[1:] else None,
    )
    NAMESPACE["plugin"] = plugin
    plugin.console.log("not served yet")
    plugin.server.add_service(ProbeServicer())
    async with plugin:
        plugin.console.log("started", 1, sep="-")
        plugin.console.error("on stderr")
        await plugin.wait_stopped()
        plugin.console.log("stopped")
    plugin.console.error("closed")


asyncio.run(main())
