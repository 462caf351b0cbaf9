"""A running plugin: memory of its own, and calls into it one at a time.

Rule 1: a guest is entered under the instance's lock, and only while the instance is not lost.
Rule 2: an answer is copied before anything else runs in the guest: a Go guest's garbage collector may take it.
Rule 3: a guest that was stopped while it ran is in no state to go on. The instance is lost, its memory is freed, and
not even the guest's `free` is called any more. The one exception is a function of the host that raised: there the guest
had only made a call.
Source: knqyf263/go-plugin gen/host.go, the methods that it generates.
"""
from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

import attrs

from ..core.errors import LocalProtocolError, RemoteError, RemoteProtocolError
from ..core.status import Code
from .abi import CALL_SIGNATURE, FREE_SIGNATURE, MALLOC_SIGNATURE, Signature, pack, unpack
from .errors import (
    ExitError,
    FuelLimitError,
    GuestError,
    HostFunctionError,
    InstanceLostError,
    MemoryLimitError,
    MissingExportError,
    TrapError,
)
from .host import HostFunction
from .machine import Halt, Import, Machine, Reason
from .output import OutputStream
from .ticker import TICKER

if TYPE_CHECKING:
    import wasmtime

__all__ = ["Caller", "Instance", "Terms"]

_FULL = 15 / 16     # of the memory limit: guests ask for more in steps


class Caller(Protocol):
    """What takes calls: an Instance, or a Pool of them."""

    def call(self, export: str, request: bytes, *, timeout: float | None = None) -> bytes: ...

    def close(self) -> None: ...


@attrs.frozen
class Terms:
    """What holds for every call of an instance; see WasmConfig."""

    time_limit: float | None
    memory_limit: int | None
    fuel: int | None
    free_host_responses: bool
    free_responses: bool


class Instance:
    """A plugin's state. Made by `Module.instantiate`; any thread may use it, and waits while another one does.

    A function of the host may call the very instance that called it, on the same thread.
    """

    def __init__(
        self,
        name: str,
        machine: Machine,
        exports: Mapping[str, Signature],
        terms: Terms,
        outputs: tuple[OutputStream, OutputStream],
    ) -> None:
        self.name = name
        self._machine = machine
        self._exports = exports
        self._terms = terms
        self._outputs = outputs
        self._lock = threading.RLock()
        self._depth = 0                             # calls under way, one inside the other
        self._loss: InstanceLostError | None = None
        self._functions: dict[str, Callable[..., int]] = {}
        self._owed: list[int] = []                  # pointers to free when the outermost call has returned
        self._final_size: int | None = None         # of the memory, once that is gone

    # --- What a user does with it -------------------------------------------------------------------------------------

    def call(self, export: str, request: bytes, *, timeout: float | None = None) -> bytes:
        """Call the exported method with a serialized request, and return the serialized response.

        `timeout`: seconds for this call, from now; the configuration's `time_limit` holds as well.
        Raises GuestError if the plugin answers with an error, HostFunctionError if a function of the host raised,
        InstanceLostError and its kin if the instance is or goes lost, MissingExportError for a method that it lacks,
        RemoteProtocolError for an answer that lies outside of its memory, and RemoteError with DEADLINE_EXCEEDED if
        calls of other threads took all the time.
        """
        outer = self._enter(timeout)
        try:
            method = self._functions.get(export) or self._bind(export, CALL_SIGNATURE)
            result = unpack(method(self._place(request), len(request)) if request else method(0, 0))
            content = self._machine.read(result.pointer, result.size) if result.size else b""
            if self._terms.free_responses and content:
                self._owed.append(result.pointer)
        except Halt as halt:
            error = self._explain(halt)
            raise error from error.__cause__
        finally:
            self._leave(outer)
        if result.failed:
            raise GuestError(content.decode("utf-8", "replace"))
        return content

    def begin(self, code: wasmtime.Module, start: str | None) -> None:
        """Instantiate the module and run its start function, which may end with exit code 0. Raises as `call`."""
        outer = self._enter(None)
        try:
            self._machine.instantiate(code)
            if start is not None:
                self._bind(start, Signature((), ()))()
        except Halt as halt:
            if halt.reason is not Reason.EXIT or halt.exit_code:
                error = self._explain(halt)
                raise error from error.__cause__
        finally:
            self._leave(outer)

    def run(self, export: str, signature: Signature) -> int:
        """Call an exported function that is no method and takes nothing, for what it returns. Raises as `call`."""
        outer = self._enter(None)
        try:
            return self._bind(export, signature)()
        except Halt as halt:
            error = self._explain(halt)
            raise error from error.__cause__
        finally:
            self._leave(outer)

    @property
    def lost(self) -> bool:
        """Whether the instance takes no more calls."""
        return self._loss is not None

    @property
    def stderr_tail(self) -> str:
        """The end of what the plugin wrote to stderr, at most 4096 bytes, stripped."""
        return self._outputs[1].tail

    @property
    def memory_size(self) -> int:
        """The bytes of linear memory that the plugin has, or had last. Waits for a call under way."""
        with self._lock:
            return self._machine.memory_size() if self._final_size is None else self._final_size

    def close(self) -> None:
        """Let go of the instance and all it has. Once is enough, more do no harm.

        A call under way on another thread is stopped, and raises InstanceLostError; a function of the host that it is
        in is waited for. Inside of a call, in a function of the host, `close` returns at once, and the call ends when
        the function has returned.
        """
        self._lose(InstanceLostError(f"{self.name} is closed"))
        self._machine.interruption = self._loss
        if self._prints_here():
            return
        with self._lock:
            if not self._depth:
                self._dispose()

    def abandon(self) -> None:
        """Close it, unless a call is under way: for the end of the process, which waits for nobody."""
        if self._lock.acquire(blocking=False):
            try:
                self.close()
            finally:
                self._lock.release()

    def __enter__(self) -> Instance:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # --- Functions of the host ----------------------------------------------------------------------------------------

    def host_import(self, label: str, function: HostFunction) -> Import:
        """`function` as the guest sees it, which imports it as `label`."""
        machine = self._machine

        def imported(pointer: int, size: int) -> int:
            request = machine.read(pointer, size) if size else b""
            try:
                response = _checked(function(request))
            except Exception as error:
                if error is self._loss:     # the call of this very instance that the function made, passed on
                    raise
                raise HostFunctionError(f"{self.name}: {label}: {error}", label) from error
            self._check_alive()     # it may have been lost, or closed, by what the function did
            if not response:
                return 0
            return pack(self._place(response, owed=self._terms.free_host_responses), len(response))

        return imported

    # --- Inside of a call ---------------------------------------------------------------------------------------------

    def _bind(self, export: str, signature: Signature) -> Callable[..., int]:
        found = self._exports.get(export)
        if found is None:
            raise MissingExportError(f"{export} is not exported", export)
        if found != signature:
            raise MissingExportError(f"invalid {export} signature: {found}, not {signature}", export)
        function = self._functions[export] = self._machine.function(export, signature)
        return function

    def _place(self, data: bytes, *, owed: bool = True) -> int:
        """Copy `data` into memory that the guest allocates, and return where that is."""
        data = _checked(data)
        malloc = self._functions.get("malloc") or self._bind("malloc", MALLOC_SIGNATURE)
        pointer = malloc(len(data))
        if not pointer:
            self._machine.fail(MemoryLimitError(f"the plugin has no memory for {len(data)} bytes"))
            raise Halt(Reason.TRAP, "malloc returned 0")
        if owed:
            self._owed.append(pointer)
        self._machine.write(pointer, data)
        return pointer

    def _enter(self, timeout: float | None) -> float:
        """Take the lock and set the deadline. Returns the deadline of the call around this one, for `_leave`."""
        limit = self._terms.time_limit
        if timeout is not None:
            limit = timeout if limit is None else min(limit, timeout)
        deadline = math.inf if limit is None else time.monotonic() + limit
        if not self._lock.acquire(blocking=False):
            self._wait_for_turn(deadline)
        machine = self._machine
        try:
            self._check_alive()
            outer = machine.deadline
            if deadline < outer:
                machine.set_deadline(deadline)
            if not self._depth:
                if self._terms.fuel is not None:
                    machine.set_fuel(self._terms.fuel)
                TICKER.begin(machine)
        except BaseException:
            self._lock.release()
            raise
        self._depth += 1
        return outer

    def _leave(self, outer: float) -> None:
        try:
            if self._owed and self._depth == 1 and self._loss is None:
                self._settle()
        finally:
            self._depth -= 1
            machine = self._machine
            if not self._depth:
                TICKER.end(machine)
                if self._loss is not None:
                    self._dispose()
            if machine.deadline != outer and self._final_size is None:
                machine.set_deadline(outer)
            self._lock.release()

    def _settle(self) -> None:
        """Free what the guest allocated for us."""
        owed, self._owed = self._owed, []
        free = self._functions.get("free") or self._bind("free", FREE_SIGNATURE)
        try:
            for pointer in owed:
                free(pointer)
        except Halt as halt:
            error = self._explain(halt)
            raise error from error.__cause__

    def _wait_for_turn(self, deadline: float) -> None:
        """Wait for the lock, which another thread has."""
        if self._prints_here():
            raise LocalProtocolError(f"{self.name} waits for its output to be taken, and cannot be called meanwhile")
        seconds = -1.0 if math.isinf(deadline) else max(deadline - time.monotonic(), 0.0)
        if not self._lock.acquire(timeout=min(seconds, threading.TIMEOUT_MAX)):
            raise RemoteError(Code.DEADLINE_EXCEEDED, f"{self.name}: other calls took all the time")

    def _prints_here(self) -> bool:
        """Whether this thread is one of the engine's, which brings output; the call waits for it, with the lock."""
        return any(stream.thread == threading.get_ident() for stream in self._outputs)

    # --- The end of it ------------------------------------------------------------------------------------------------

    def _explain(self, halt: Halt) -> BaseException:
        """What a call raises that was stopped, as the guest was; unless a function of the host raised, it is lost."""
        failure = self._machine.take_failure()
        if isinstance(failure, (HostFunctionError, RemoteProtocolError)):
            return failure
        if self._loss is not None and isinstance(failure, InstanceLostError):
            return failure      # closed, or lost in a call inside of this one
        if isinstance(failure, Halt):   # of a call inside of a function of the host
            halt, failure = failure, None
        if failure is not None and not isinstance(failure, InstanceLostError):
            self._lose(InstanceLostError(f"{self.name} was stopped by {type(failure).__name__}", self.stderr_tail))
            return failure
        error = self._loss_by(halt, failure)
        error.__cause__ = halt.__cause__
        self._lose(error)
        return error

    def _loss_by(self, halt: Halt, failure: InstanceLostError | None) -> InstanceLostError:
        stderr = self.stderr_tail
        if failure is not None:
            return type(failure)(f"{self.name}: {failure.message}", stderr)
        message = f"{self.name}: {halt.message}"
        if halt.reason is Reason.EXIT:
            return ExitError(message, halt.exit_code, stderr)
        if halt.reason is Reason.FUEL:
            return FuelLimitError(message, stderr)
        full = halt.reason is Reason.MEMORY or self._is_full(stderr)
        return (MemoryLimitError if full else TrapError)(message, stderr)

    def _is_full(self, stderr: str) -> bool:
        """Whether the guest has as much memory as it may have, or says so: the engine does not tell."""
        limit = self._terms.memory_limit
        if limit is None:
            return False
        return self._machine.memory_size() >= limit * _FULL or "out of memory" in stderr

    def _lose(self, loss: InstanceLostError) -> None:
        if self._loss is None:
            self._loss = loss

    def _check_alive(self) -> None:
        if self._loss is not None:
            raise InstanceLostError(f"no more calls: {self._loss.message}", self._loss.stderr) from self._loss

    def _dispose(self) -> None:
        """Free everything. Idempotent."""
        if self._final_size is None:
            self._final_size = self._machine.memory_size()
            self._machine.close()
            self._functions.clear()
            for stream in self._outputs:
                stream.close()


def _checked(data: object) -> bytes:
    """A message has to be bytes: ctypes would take a text for its characters, and None for an address."""
    if not isinstance(data, bytes):
        raise TypeError(f"a serialized message is bytes, not {type(data).__name__}")
    return data
