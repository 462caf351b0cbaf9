"""One small call to a plugin in another process: the hot path of everything else."""
from __future__ import annotations

import asyncio
from pathlib import Path

from goplugin import Client, ClientConfig
from jsbridge.contract import DISPENSE_NAME, HANDSHAKE, InvokeRequest
from jsbridge.plugin import JSModulePlugin, RemoteModule

from .fixture import Benchmark

REQUEST = InvokeRequest(export_name="greet", args=("hello",))


def test_asyncio_client_to_a_plugin_of_ours(benchmark: Benchmark, plugin_dir: Path) -> None:
    config = ClientConfig(
        handshake=HANDSHAKE,
        command=[str(plugin_dir / "goja-plugin-examples-greeter")],
        versioned_plugins={1: {DISPENSE_NAME: JSModulePlugin()}},
    )
    with asyncio.Runner() as runner:
        client = Client(config)
        module = runner.run(client.dispense(DISPENSE_NAME))
        assert isinstance(module, RemoteModule)
        try:
            reply = benchmark(lambda: runner.run(module.invoke(REQUEST)))
        finally:
            runner.run(client.kill())

    assert reply.result == "hello, hello"
