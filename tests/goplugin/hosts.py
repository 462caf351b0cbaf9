"""A host of either runtime behind one blocking face, for rules that hold in both."""
from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from goplugin import Client, ClientConfig
from goplugin.grpc import unary_unary
from goplugin.sync import Client as BlockingClient

from .harness import SECONDS, probe_config
from .harness import wait_until as wait_until_async
from .plugins.contract import RUN_PATH, Text
from .sync.support import wait_until

__all__ = ["HOSTS", "AsyncHost", "BlockingHost", "Host", "NewHost"]


class BlockingHost:
    """`client` is the runtime's own."""

    def __init__(self, config: ClientConfig) -> None:
        self.client = BlockingClient(config)

    def start(self) -> None:
        self.client.start()

    def ping(self, *, timeout: float | None = SECONDS) -> None:
        self.client.ping(timeout=timeout)

    def call(self, path: str, text: str = "", *, timeout: float = SECONDS) -> str:
        return (self.client.channel.unary(path, text.encode(), timeout=timeout).message or b"").decode()

    def run(self, body: str) -> str:
        """What a plain handler of the probe with this body returns, as text."""
        return self.call(RUN_PATH, body)

    def dial(self, service_id: int) -> None:
        self.client.broker.dial(service_id).close()

    def wait_until(self, condition: Callable[[], object]) -> None:
        """Let what is under way go on until the condition holds."""
        wait_until(condition)

    def kill(self, *, grace: float = 2.0) -> None:
        self.client.kill(grace=grace)

    def close(self) -> None:
        self.client.kill()


class AsyncHost:
    """The same, with an event loop that runs while something is asked of it."""

    def __init__(self, config: ClientConfig) -> None:
        self._runner = asyncio.Runner()
        self.client = Client(config)

    def start(self) -> None:
        self._runner.run(self.client.start())

    def ping(self, *, timeout: float | None = SECONDS) -> None:
        self._runner.run(self.client.ping(timeout=timeout))

    def call(self, path: str, text: str = "", *, timeout: float = SECONDS) -> str:
        return self._runner.run(unary_unary(self.client.channel, path, Text(text), Text, timeout=timeout)).text

    def run(self, body: str) -> str:
        return self.call(RUN_PATH, body)

    def dial(self, service_id: int) -> None:
        async def dial() -> None:
            (await self.client.broker.dial(service_id)).close()

        self._runner.run(dial())

    def wait_until(self, condition: Callable[[], object]) -> None:
        self._runner.run(wait_until_async(lambda: bool(condition())))

    def kill(self, *, grace: float = 2.0) -> None:
        self._runner.run(self.client.kill(grace=grace))

    def close(self) -> None:
        self._runner.run(self.client.kill())
        self._runner.close()


Host = BlockingHost | AsyncHost
NewHost = Callable[..., AbstractContextManager[Host]]


@contextlib.contextmanager
def _new(kind: type[Host], **changes: Any) -> Iterator[Host]:
    host = kind(probe_config(**changes))
    try:
        yield host
    finally:
        host.close()


HOSTS = pytest.mark.parametrize(
    "new_host", [functools.partial(_new, BlockingHost), functools.partial(_new, AsyncHost)], ids=["sync", "aio"]
)
"""`new_host(**changes)` is a context with a host of the probe, or of what `changes` make of that; it has not started
yet, and its plugin ends with the context."""
