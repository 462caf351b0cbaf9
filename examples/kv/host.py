#!/usr/bin/env python3
"""Keep values with a KV plugin: this directory's, or that which KV_PLUGIN says how to start.

    host.py put KEY VALUE
    host.py get KEY
"""
from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from kv_grpc import KVStub
from kv_pb2 import GetRequest, PutRequest
from shared import HANDSHAKE, NAMES

from goplugin import GRPCClient, GRPCPlugin, PluginError
from goplugin.sync import Client, ClientConfig, stub

OWN_PLUGIN = [sys.executable, "-m", "goplugin", "run", str(Path(__file__).with_name("plugin.py"))]


class Store:
    """What this program knows of a plugin."""

    def __init__(self, client: GRPCClient) -> None:
        self._kv = stub(KVStub, client.channel)

    def get(self, key: str) -> str:
        return self._kv.Get(GetRequest(key=key)).value.decode()

    def put(self, key: str, value: str) -> None:
        self._kv.Put(PutRequest(key=key, value=value.encode()))


class KVPlugin(GRPCPlugin):
    def grpc_client(self, client: GRPCClient) -> Store:
        return Store(client)


def main() -> None:
    config = ClientConfig(
        handshake=HANDSHAKE,
        command=shlex.split(os.environ.get("KV_PLUGIN", "")) or OWN_PLUGIN,
        versioned_plugins={version: {name: KVPlugin()} for version, name in NAMES.items()},
    )
    with Client(config) as client:
        store: Store = client.dispense(NAMES[client.negotiated_version])
        match sys.argv[1:]:
            case "put", key, value:
                store.put(key, value)
            case "get", key:
                print(store.get(key))
            case _:
                raise SystemExit(__doc__)


if __name__ == "__main__":
    try:
        main()
    except PluginError as error:
        raise SystemExit(f"error: {error}") from None
