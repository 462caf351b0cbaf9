"""The worker: a JavaScript interpreter as a plugin of ours, which its host can end whatever the script does.

    python -m jsbridge.worker_program [BYTES]       what a host launches; BYTES is the memory that scripts may take

The process has the interpreter and nothing else: whatever a script asks for (modules, files, console, plugin calls) is
asked of the host, in the interpreter's own terms; worker_contract.py has the dialogue.

Rule 1: while JavaScript runs no Python thread does. So nothing here ends a script: the host kills the process, and if
the host is gone the kernel does.
Rule 2: the memory limit holds while JavaScript runs, and is lifted while Python does, which would fail anywhere.
"""
from __future__ import annotations

import fcntl
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue

from goplugin import GRPCPlugin, GRPCServer, ServeConfig, serve
from goplugin.core.errors import RemoteError
from goplugin.plugin import Method, Streams

from ._dukpy import Interpreter, JSRuntimeError
from .worker_contract import ASK, CONVERSE_PATH, DISPENSE_NAME, HANDSHAKE, REPLY, RESULT, THROWN, Turn

__all__ = ["main"]

_STACK = 512 << 10          # of a thread that runs no scripts; by default they are larger than most scripts' heaps
_SCRIPT_STACK = 8 << 20     # QuickJS takes a megabyte for each evaluation inside another


class _MemoryLimit:
    """What scripts may take of memory, in bytes, beyond what the process has when it is `armed`; None: no limit."""

    def __init__(self, size: int | None) -> None:
        self._size = size
        self._lifted, self._hard = resource.getrlimit(resource.RLIMIT_DATA)
        self._imposed = self._lifted

    def arm(self) -> None:
        """Begin, unless that has been."""
        if self._size is not None:
            self._imposed = _private_memory() + self._size
            self._size = None

    def impose(self) -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (self._imposed, self._hard))

    def lift(self) -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (self._lifted, self._hard))


def _private_memory() -> int:
    """What RLIMIT_DATA counts of this process, in bytes."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmData:")) * 1024


class _Dialogue:
    """One interpreter, and the two ends of its call: what the host says, and `say` for what is said to it."""

    def __init__(self, turns: Iterator[Turn], say: Callable[[Turn | None], object], memory: _MemoryLimit) -> None:
        self._turns = turns
        self._say = say
        self._memory = memory
        self._interpreter = Interpreter(self._ask)

    def hold(self) -> None:
        """Answer the host until it says no more. The first thing it has evaluated is its own, and has no limit."""
        for turn in self._turns:
            self._say(self._run(turn))
            self._memory.arm()

    def _run(self, turn: Turn) -> Turn:
        self._memory.impose()
        try:
            return Turn(RESULT, data=self._interpreter.evaluate(turn.name, turn.data) or b"")
        except JSRuntimeError as error:
            return Turn(THROWN, str(error).encode())
        except MemoryError:
            return Turn(THROWN, b"InternalError: out of memory")
        finally:
            self._memory.lift()

    def _ask(self, name: bytes, arguments: bytes) -> bytes | None:
        """The answer to a script's `call_python`; on the way to it the host may want something else evaluated."""
        self._memory.lift()
        self._say(Turn(ASK, name, arguments))
        try:
            for turn in self._turns:
                if turn.kind == REPLY:
                    return turn.data or None
                self._say(self._run(turn))
        except RemoteError:
            pass
        finally:
            self._memory.impose()
        # The host does not want the script any more, and what is raised here a script could catch.
        os._exit(0)


class _InterpreterService:
    def __init__(self, memory: _MemoryLimit, handshake_pipe: int) -> None:
        self._memory = memory
        self._handshake_pipe = handshake_pipe

    def __mapping__(self) -> dict[str, Method]:
        streams = Streams(client_streaming=True, server_streaming=True)
        return {CONVERSE_PATH: Method(self.converse, streams, Turn, Turn)}

    def converse(self, turns: Iterator[Turn], context: object) -> Iterator[Turn]:
        """The scripts have a thread of their own, because they speak from inside of a C function's callback."""
        _end_with_reader(self._handshake_pipe)
        outbox: SimpleQueue[Turn | None] = SimpleQueue()

        def hold_dialogue() -> None:
            try:
                _Dialogue(turns, outbox.put, self._memory).hold()
            except RemoteError:     # the host has hung up
                pass
            finally:
                outbox.put(None)

        threading.stack_size(_SCRIPT_STACK)
        threading.Thread(target=hold_dialogue, name="interpreter", daemon=True).start()
        threading.stack_size(_STACK)
        return iter(outbox.get, None)


class _WorkerPlugin(GRPCPlugin):
    def __init__(self, memory: _MemoryLimit, handshake_pipe: int) -> None:
        self._service = _InterpreterService(memory, handshake_pipe)

    def grpc_server(self, server: GRPCServer) -> None:
        server.add_service(self._service)


def _end_with_reader(pipe: int) -> None:
    """Let the kernel end this process (SIGIO) when nobody is left who could read from `pipe`, or somebody does.

    It is the one that the handshake line was written to: nothing else comes after that, and its reader is the host.
    """
    fcntl.fcntl(pipe, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)


def main(arguments: list[str]) -> None:
    """Serve the host that launched this process, until that is gone. `arguments`: the memory limit, if there is one."""
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    threading.stack_size(_STACK)
    memory = _MemoryLimit(int(arguments[0]) if arguments else None)
    plugin = _WorkerPlugin(memory, os.dup(1))
    serve(ServeConfig(handshake=HANDSHAKE, plugins={DISPENSE_NAME: plugin}))


if __name__ == "__main__":
    main(sys.argv[1:])
