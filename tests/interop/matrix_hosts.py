"""Hosts of the matrix plugin behind one interface: the Go program matrixhost, and our clients of either runtime.

The Python ones take the commands of go/matrixhost/main.go, in the test's own process, and fail as the Go one does.
"""
from __future__ import annotations

import asyncio
import contextlib
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from grpclib import GRPCError
from grpclib.exceptions import StreamTerminatedError

from goplugin import Client, ClientConfig, GRPCClient, GRPCPlugin, PluginError, sync
from goplugin.core.reattach import ReattachConfig
from tests.goplugin.harness import Sink

from .driver import GoHost, HostError
from .plugins.matrix import HANDSHAKE, AsyncMatrix, Matrix

__all__ = [
    "VERSIONS",
    "AsyncMatrixPlugin", "AsyncioHost", "BlockingHost", "GoMatrixHost", "MatrixHost", "MatrixPlugin",
]

VERSIONS = (1, 2, 4)
"""What every host offers."""

SECONDS = 10.0


class MatrixHost(Protocol):
    """A context whose body runs with the plugin launched; at its end the plugin is gone. Errors are HostError.

    `grace_ms`: what a plugin has to end by itself when it is killed; a Go host knows no other value.
    `exit_code`: the plugin's, once it has been killed; a Go host does not tell.
    """

    grace_ms: int
    version: int
    plugin_pid: int

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> None: ...

    def call(self, op: str, *, text: str = "", texts: Sequence[str] = (), size: int = 0) -> Any: ...

    def ping(self) -> None: ...

    def stdio(self, stdout: str = "", stderr: str = "") -> tuple[str, str]: ...

    def kill(self) -> int: ...

    @property
    def exit_code(self) -> int | None: ...

    @property
    def running(self) -> ReattachConfig: ...

    def detach(self) -> None: ...


class GoMatrixHost(GoHost):
    """`options` are the names of the flags."""

    grace_ms = 2000
    exit_code = None

    def __init__(
        self,
        program: Path,
        command: Sequence[str],
        options: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cookie: str = HANDSHAKE.magic_cookie_value,
        reattach: ReattachConfig | None = None,
    ) -> None:
        versions = ",".join(map(str, VERSIONS))
        flags = ["-versions", versions, "-cookie", cookie, *(f"-{option}" for option in options)]
        if reattach is not None:
            plugin = {"Protocol": reattach.protocol, "Pid": reattach.pid, "Address": reattach.address}
            flags += ["-reattach", json.dumps(plugin)]
        super().__init__(program, *command, flags=flags, env=env)

    @property
    def running(self) -> ReattachConfig:
        config = self.launched["reattach"]
        return ReattachConfig("unix", config["Address"], config["Pid"], config["Protocol"], self.version)

    def detach(self) -> None:
        self.call("detach")


class AsyncMatrixPlugin(GRPCPlugin):
    def grpc_client(self, client: GRPCClient) -> AsyncMatrix:
        return AsyncMatrix(client.channel, client.broker)


class MatrixPlugin(GRPCPlugin):
    def grpc_client(self, client: GRPCClient) -> Matrix:
        return Matrix(client.channel, client.broker)


class _PythonHost(ABC):
    """What our two hosts share."""

    grace_ms = 2000
    _client: Any
    _matrix: Any

    def __init__(
        self,
        plugin: GRPCPlugin,
        command: Sequence[str],
        options: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cookie: str = HANDSHAKE.magic_cookie_value,
        reattach: ReattachConfig | None = None,
    ) -> None:
        self._stdout, self._stderr = Sink(), Sink()
        with _host_errors():
            self._config = ClientConfig(
                handshake=HANDSHAKE._replace(magic_cookie_value=cookie),
                plugins={"matrix": plugin} if reattach is not None else None,
                versioned_plugins={version: {"matrix": plugin} for version in VERSIONS},
                command=command,
                reattach=reattach,
                env=env or {},
                sync_stdout=self._stdout,
                sync_stderr=self._stderr,
                auto_mtls="automtls" in options,
                multiplex="multiplex" in options,
            )
        self.version = 0
        self.plugin_pid = 0

    @abstractmethod
    def _get(self, result: Any) -> Any:
        """What a call of the runtime's client has as its result."""

    def _start(self) -> None:
        with _host_errors():
            self._matrix = self._get(self._client.dispense("matrix"))
        self.version = self._client.negotiated_version
        self.plugin_pid = int(self._client.id)

    def call(self, op: str, *, text: str = "", texts: Sequence[str] = (), size: int = 0) -> Any:
        with _host_errors():
            match op:
                case "echo" if size:
                    return len(self._get(self._matrix.call("Echo", b"x" * size)))
                case "join" | "split" | "chat":
                    replies = self._get(self._matrix.stream(op.title(), [text.encode() for text in texts]))
                    return [reply.decode() for reply in replies]
                case "callback":
                    return self._get(self._matrix.call_back(text.encode())).decode()
                case "offered":
                    return self._get(self._matrix.offered(text.encode())).decode()
                case _:
                    return self._get(self._matrix.call(op.title(), text.encode())).decode()

    def ping(self) -> None:
        with _host_errors():
            self._get(self._client.ping(timeout=SECONDS))

    def stdio(self, stdout: str = "", stderr: str = "") -> tuple[str, str]:
        """All that the plugin printed so far, once it contains the given texts."""
        self._stdout.wait(stdout)
        self._stderr.wait(stderr)
        return self._stdout.text, self._stderr.text

    def kill(self) -> int:
        """End the plugin; returns how many milliseconds that took."""
        start = time.monotonic()
        self._get(self._client.kill(grace=self.grace_ms / 1000))
        assert self._client.exited
        return round((time.monotonic() - start) * 1000)

    @property
    def exit_code(self) -> int | None:
        return self._client.exit_code

    @property
    def running(self) -> ReattachConfig:
        return self._client.reattach_config()

    def detach(self) -> None:
        self._get(self._client.detach())


class BlockingHost(_PythonHost):
    def __init__(self, command: Sequence[str], options: Sequence[str], **more: Any) -> None:
        super().__init__(MatrixPlugin(), command, options, **more)

    def __enter__(self) -> Self:
        self._client = sync.Client(self._config)
        self._start()
        return self

    def __exit__(self, *error: object) -> None:
        self._client.kill()

    def _get(self, result: Any) -> Any:
        return result


class AsyncioHost(_PythonHost):
    """Its loop runs while a command does."""

    def __init__(self, command: Sequence[str], options: Sequence[str], **more: Any) -> None:
        super().__init__(AsyncMatrixPlugin(), command, options, **more)

    def __enter__(self) -> Self:
        self._client = Client(self._config)
        self._runner = asyncio.Runner()
        try:
            self._start()
        except BaseException:
            self._runner.close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        with self._runner:
            self._runner.run(self._client.kill())

    def _get(self, result: Any) -> Any:
        return self._runner.run(result)

    def stdio(self, stdout: str = "", stderr: str = "") -> tuple[str, str]:
        async def wait() -> None:
            await self._stdout.wait_for(stdout)
            await self._stderr.wait_for(stderr)

        self._runner.run(wait())
        return super().stdio()


@contextlib.contextmanager
def _host_errors() -> Generator[None]:
    """Errors become those of a Go host."""
    try:
        yield
    except (PluginError, GRPCError, StreamTerminatedError) as error:
        raise HostError(str(error), "") from error
