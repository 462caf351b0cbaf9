"""From launch to first reply: what a Go tool's user waits for, several times per command."""
from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from goplugin import Client, ClientConfig
from jsbridge.contract import DISPENSE_NAME, HANDSHAKE
from jsbridge.plugin import JSModulePlugin, RemoteModule

from .fixture import Benchmark


def test_bare_interpreter(benchmark: Benchmark) -> None:
    """The floor: no plugin written in Python can start faster."""
    benchmark.pedantic(lambda: subprocess.run([sys.executable, "-c", "pass"], check=True), rounds=20, warmup_rounds=2)


def test_spawn_to_first_reply(benchmark: Benchmark, plugin_dir: Path) -> None:
    config = ClientConfig(
        handshake=HANDSHAKE,
        command=[str(plugin_dir / "goja-plugin-examples-greeter")],
        versioned_plugins={1: {DISPENSE_NAME: JSModulePlugin()}},
    )

    async def first_reply(client: Client) -> str:
        module = await client.dispense(DISPENSE_NAME)
        assert isinstance(module, RemoteModule)
        return (await module.get_manifest()).module_name

    clients: list[Client] = []
    with asyncio.Runner() as runner:

        def spawn() -> str:
            clients.append(Client(config))
            return runner.run(first_reply(clients[-1]))

        def kill() -> None:
            runner.run(clients.pop().kill())

        name = benchmark.pedantic(spawn, teardown=kill, rounds=20, warmup_rounds=2)
        if clients:     # nothing is torn down where the tests are only to run
            kill()

    assert name == "plugin:examples:greeter"
