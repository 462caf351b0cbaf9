"""What a host process does when it is told to: the measuring loops, once for blocking clients and once for asyncio.

Each operation returns figures by name. Times are wall-clock; the percentiles are of single calls. go/benchhost has the
same operations in Go.
"""
from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from typing import Protocol

from .bench_pb2 import Burst, Payload
from .service import SMALL

__all__ = ["AsyncClient", "AsyncHost", "BlockingClient", "BlockingHost", "Figures", "Host", "latency_figures"]

Figures = dict[str, float]

_NS = 1_000_000_000


class Host(Protocol):
    """A plugin launched and connected. Beside these two, its methods are its operations; not every host has all."""

    plugin_pid: int

    def close(self) -> None: ...


class BlockingClient(Protocol):
    """One connection to one plugin, which was launched for it."""

    plugin_pid: int

    @property
    def echo(self) -> Callable[[Payload], Payload]: ...

    def repeat(self, request: Burst) -> Iterable[Payload]: ...

    def close(self) -> None: ...


class AsyncClient(Protocol):
    """The same for asyncio."""

    plugin_pid: int

    @property
    def echo(self) -> Callable[[Payload], Awaitable[Payload]]: ...

    def repeat(self, request: Burst) -> AsyncIterable[Payload]: ...

    async def close(self) -> None: ...


def latency_figures(nanoseconds: list[int]) -> Figures:
    """Percentiles and rate of calls that were made one after the other."""
    ordered = sorted(nanoseconds)
    return {
        "p50_us": ordered[len(ordered) // 2] / 1000,
        "p99_us": ordered[len(ordered) * 99 // 100] / 1000,
        "calls_per_s": len(ordered) / sum(ordered) * _NS,
    }


def _megabytes_per_second(size: int, calls: int, start: int) -> Figures:
    return {"mb_per_s": 2 * size * calls / 1e6 / ((time.perf_counter_ns() - start) / _NS)}


def _per_second(name: str, count: int, start: int) -> Figures:
    return {name: count / ((time.perf_counter_ns() - start) / _NS)}


class BlockingHost:
    """The operations over a blocking client."""

    def __init__(self, connect: Callable[[], BlockingClient]) -> None:
        self._connect = connect
        self._client = connect()
        self._opened: list[BlockingClient] = []
        self.plugin_pid = self._client.plugin_pid

    def close(self) -> None:
        for client in [self._client, *self._opened]:
            client.close()

    def unary(self, seconds: float) -> Figures:
        """One call after the other."""
        echo, request, clock = self._client.echo, Payload(data=SMALL), time.perf_counter_ns
        durations: list[int] = []
        before = clock()
        end = before + seconds * _NS
        while before < end:
            echo(request)
            after = clock()
            durations.append(after - before)
            before = after
        return latency_figures(durations)

    def calls(self, count: int) -> Figures:
        """So many calls, one after the other."""
        echo, request = self._client.echo, Payload(data=SMALL)
        for _ in range(count):
            echo(request)
        return {}

    def in_flight(self, calls: int, seconds: float) -> Figures:
        """So many threads that call one after the other."""
        echo, clock = self._client.echo, time.perf_counter_ns
        start = clock()
        end = start + seconds * _NS
        counts: list[int] = []

        def call() -> None:
            request, count = Payload(data=SMALL), 0
            while clock() < end:
                echo(request)
                count += 1
            counts.append(count)

        threads = [threading.Thread(target=call) for _ in range(calls)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if len(counts) != calls:
            raise RuntimeError("a thread failed")
        return _per_second("calls_per_s", sum(counts), start)

    def large(self, size: int, calls: int) -> Figures:
        """Messages of `size` bytes there and back."""
        request = Payload(data=bytes(size))
        start = time.perf_counter_ns()
        for _ in range(calls):
            _check_length(self._client.echo(request), size)
        return _megabytes_per_second(size, calls, start)

    def stream(self, count: int) -> Figures:
        """So many small messages of one call."""
        start = time.perf_counter_ns()
        received = sum(1 for _ in self._client.repeat(Burst(count=count, data=SMALL)))
        _check_count(received, count)
        return _per_second("messages_per_s", count, start)

    def open(self, count: int) -> dict[str, list[int]]:
        """So many further plugins, each called once; they stay open."""
        clients = [self._connect() for _ in range(count)]
        for client in clients:
            client.echo(Payload(data=SMALL))
        self._opened += clients
        return {"pids": [client.plugin_pid for client in clients]}


class AsyncHost:
    """The operations over an asyncio client."""

    def __init__(self, connect: Callable[[], Awaitable[AsyncClient]]) -> None:
        self._runner = asyncio.Runner()
        self._connect = connect
        self._client = self._runner.run(self._connected())
        self._opened: list[AsyncClient] = []
        self.plugin_pid = self._client.plugin_pid

    async def _connected(self) -> AsyncClient:
        return await self._connect()

    def close(self) -> None:
        for client in [self._client, *self._opened]:
            self._runner.run(client.close())
        self._runner.close()

    def unary(self, seconds: float) -> Figures:
        """One call after the other."""
        return self._runner.run(self._unary(seconds))

    async def _unary(self, seconds: float) -> Figures:
        echo, request, clock = self._client.echo, Payload(data=SMALL), time.perf_counter_ns
        durations: list[int] = []
        before = clock()
        end = before + seconds * _NS
        while before < end:
            await echo(request)
            after = clock()
            durations.append(after - before)
            before = after
        return latency_figures(durations)

    def calls(self, count: int) -> Figures:
        """So many calls, one after the other."""
        return self._runner.run(self._calls(count))

    async def _calls(self, count: int) -> Figures:
        echo, request = self._client.echo, Payload(data=SMALL)
        for _ in range(count):
            await echo(request)
        return {}

    def in_flight(self, calls: int, seconds: float) -> Figures:
        """So many tasks that call one after the other."""
        return self._runner.run(self._in_flight(calls, seconds))

    async def _in_flight(self, calls: int, seconds: float) -> Figures:
        echo, clock = self._client.echo, time.perf_counter_ns
        start = clock()
        end = start + seconds * _NS

        async def call() -> int:
            request, count = Payload(data=SMALL), 0
            while clock() < end:
                await echo(request)
                count += 1
            return count

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(call()) for _ in range(calls)]
        return _per_second("calls_per_s", sum(task.result() for task in tasks), start)

    def large(self, size: int, calls: int) -> Figures:
        """Messages of `size` bytes there and back."""
        return self._runner.run(self._large(size, calls))

    async def _large(self, size: int, calls: int) -> Figures:
        request = Payload(data=bytes(size))
        start = time.perf_counter_ns()
        for _ in range(calls):
            _check_length(await self._client.echo(request), size)
        return _megabytes_per_second(size, calls, start)

    def stream(self, count: int) -> Figures:
        """So many small messages of one call."""
        return self._runner.run(self._stream(count))

    async def _stream(self, count: int) -> Figures:
        start = time.perf_counter_ns()
        received = 0
        async for _ in self._client.repeat(Burst(count=count, data=SMALL)):
            received += 1
        _check_count(received, count)
        return _per_second("messages_per_s", count, start)

    def open(self, count: int) -> dict[str, list[int]]:
        """So many further plugins, each called once; they stay open."""
        return self._runner.run(self._open(count))

    async def _open(self, count: int) -> dict[str, list[int]]:
        clients = [await self._connect() for _ in range(count)]
        for client in clients:
            await client.echo(Payload(data=SMALL))
        self._opened += clients
        return {"pids": [client.plugin_pid for client in clients]}


def _check_length(reply: Payload, size: int) -> None:
    if len(reply.data) != size:
        raise RuntimeError("the reply is not the request")


def _check_count(received: int, count: int) -> None:
    if received != count:
        raise RuntimeError("messages are missing")
