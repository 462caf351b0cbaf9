"""The probe of tests/goplugin/harness.py, for hosts that block."""
from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec

from goplugin import GRPCClient, GRPCPlugin
from goplugin.sync import Channel, Client, ClientConfig

from ..harness import PROBE, nothing_left_behind
from ..plugins.contract import ASYNC_PATH, ECHO_PATH, HANDSHAKE, RUN_PATH, Text

__all__ = ["Probe", "ProbePlugin", "cleanly", "probe_config", "running_probe"]

P = ParamSpec("P")


class Probe:
    """The plugin `probe`: it runs the function bodies that a test sends."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel

    def echo(self, text: str) -> str:
        return self._call(ECHO_PATH, text)

    def run(self, body: str, *, timeout: float | None = None) -> str:
        """What a plain handler with this body returns, as text."""
        return self._call(RUN_PATH, body, timeout)

    def run_async(self, body: str, *, timeout: float | None = None) -> str:
        """The same of an async handler."""
        return self._call(ASYNC_PATH, body, timeout)

    def _call(self, path: str, text: str, timeout: float | None = None) -> str:
        response = self.channel.unary(path, Text(text).SerializeToString(), timeout=timeout)
        return Text.FromString(response.message or b"").text


class ProbePlugin(GRPCPlugin):
    def grpc_client(self, client: GRPCClient) -> Probe:
        return Probe(client.channel)


def probe_config(**changes: Any) -> ClientConfig:
    return ClientConfig(**{"handshake": HANDSHAKE, "command": PROBE, "plugins": {"probe": ProbePlugin()}} | changes)


@contextlib.contextmanager
def running_probe(**changes: Any) -> Iterator[tuple[Client, Probe]]:
    with Client(probe_config(**changes)) as client:
        probe = client.dispense("probe")
        assert isinstance(probe, Probe)
        yield client, probe


def cleanly(test: Callable[P, None]) -> Callable[P, None]:
    """Sees that a test leaves nothing behind."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with nothing_left_behind():
            test(*args, **kwargs)

    return run
