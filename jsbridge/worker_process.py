"""A worker process as its host has it, and the interpreters in it.

Rule: what is to be evaluated is sent there; what the script asks for is answered here, on the thread that waits for the
script, as if the interpreter were in this process. Only a script that is cut off takes its interpreter with it.
"""
from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from goplugin.core.errors import PluginLostError, RemoteError
from goplugin.plugin import GRPCClient, GRPCPlugin
from goplugin.sync import Client, ClientConfig

from ._dukpy import JSRuntimeError
from .worker_contract import ASK, CONVERSE_PATH, DISPENSE_NAME, HANDSHAKE, REPLY, RESULT, RUN, Turn

if TYPE_CHECKING:
    from goplugin.sync.call import Call
    from goplugin.sync.channel import Channel

__all__ = ["Dispatch", "WorkerInterpreter", "WorkerLostError", "WorkerProcess"]

Dispatch = Callable[[bytes, bytes], "bytes | None"]


class WorkerLostError(PluginLostError):
    """The worker's process has ended, or has hung up."""


class WorkerProcess:
    """One worker, launched with the first interpreter; `memory` is what its scripts may take, in bytes.

    Any thread may use it.
    """

    def __init__(self, *, memory: int | None = None) -> None:
        command = [sys.executable, "-P", "-m", "jsbridge.worker_program"]
        self._client = Client(
            ClientConfig(
                handshake=HANDSHAKE,
                command=command if memory is None else [*command, str(memory)],
                plugins={DISPENSE_NAME: _WorkerPlugin()},
                env={"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},  # it is of the same installation
                managed=True,
            )
        )

    def interpreter(self, dispatch: Dispatch) -> WorkerInterpreter:
        """A new interpreter; `dispatch` is what that of an interpreter in this process is.

        Raises what `Client.start` raises, WorkerLostError if the process has ended.
        """
        channel: Channel = self._client.dispense(DISPENSE_NAME)
        self._withdraw_socket()
        try:
            return WorkerInterpreter(channel.open(CONVERSE_PATH), dispatch)
        except PluginLostError as error:
            raise _lost(error) from error

    def _withdraw_socket(self) -> None:
        """Nobody else will connect, and a worker that the kernel ends could not remove the file."""
        found = self._client.reattach_config()
        if found is not None and found.network == "unix":
            with contextlib.suppress(FileNotFoundError):
                os.unlink(found.address)

    @property
    def id(self) -> str:
        """Its process number as text; "" before the start."""
        return self._client.id

    def kill(self) -> None:
        """End it at once, whatever it does; returns when it is gone. Idempotent, and from any thread."""
        self._client.kill(grace=0.0)


class WorkerInterpreter:
    """An interpreter in a worker, for one thread at a time.

    `busy`: a script is under way. `intact`: none was cut off, after which there can be no other.
    """

    def __init__(self, call: Call, dispatch: Dispatch) -> None:
        self.busy = False
        self.intact = True
        self._call = call
        self._dispatch = dispatch

    def run(self, code: str, variables: Mapping[str, Any]) -> Any:
        """Evaluate `code` as a script that sees `variables` as the global `dukpy`; None for `undefined`.

        Raises JSRuntimeError, WorkerLostError if the worker is gone, and what a signal handler raises meanwhile.
        """
        result = self.evaluate(code.encode(), json.dumps(variables).encode())
        return None if result is None else json.loads(result)

    def evaluate(self, code: bytes, variables: bytes) -> bytes | None:
        """`run`, from JSON to JSON."""
        outer, self.busy = self.busy, True
        try:
            end = self._converse(Turn(RUN, code, variables))
        except BaseException:
            self.intact = False
            raise
        self.busy = outer
        if end.kind == RESULT:
            return end.data or None
        raise JSRuntimeError(end.name.decode(errors="replace"))

    def _converse(self, turn: Turn) -> Turn:
        """Say `turn`, answer what is asked, and return what comes in the end."""
        while True:
            if not self.intact:
                raise WorkerLostError("the JavaScript worker was cut off in the middle of a script")
            self._call.send(turn.SerializeToString())   # if nobody listens any more, the next turn says why
            turn = self._hear()
            if turn.kind != ASK:
                return turn
            turn = Turn(REPLY, data=self._dispatch(turn.name, turn.data) or b"")

    def close(self) -> None:
        """Free the script's memory. A script that runs is cut off, and its worker ends with it."""
        self._call.cancel()

    def _hear(self) -> Turn:
        try:
            message = self._call.receive()
        except RemoteError as error:
            raise _lost(error) from error
        if message is None:
            raise WorkerLostError("the JavaScript worker has hung up")
        return Turn.FromString(message)


def _lost(error: RemoteError) -> WorkerLostError:
    return WorkerLostError(f"the JavaScript worker is gone: {error.message}")


class _WorkerPlugin(GRPCPlugin):
    def grpc_client(self, client: GRPCClient) -> Channel:
        return cast("Channel", client.channel)
