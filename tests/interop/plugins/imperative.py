"""The key-value store of `kv.py` on the imperative server."""
from __future__ import annotations

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from goplugin import PluginServer
from tests.interop.plugins.kv import HANDSHAKE, KVService


async def main() -> None:
    plugin = PluginServer(
        plugin_version=1,
        magic_cookie_key=HANDSHAKE.magic_cookie_key,
        magic_cookie_value=HANDSHAKE.magic_cookie_value,
    )
    plugin.server.add_service(KVService(1))
    async with plugin:
        plugin.console.log("out")
        plugin.console.error("err")
        await plugin.wait_stopped()


asyncio.run(main())
