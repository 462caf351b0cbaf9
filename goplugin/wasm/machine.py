"""One guest at work, as an engine's binding shows it: its memory, its functions, and what stops it.

There are two of them. `fast.py` calls the engine's C functions itself; `plain.py` uses the package's documented API,
at four times the cost, where the first cannot be had. They are held to the same tests.

Rule 1: a machine belongs to whoever holds the lock of its instance; only `interruption` is set by other threads.
Rule 2: what Python code raises while the guest runs (a function of the host, a signal's handler, a deadline) is kept
in `failure`, and the guest is stopped. The package would keep it in one place for all threads.
"""
from __future__ import annotations

import enum
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

from .abi import Signature
from .errors import TimeLimitError

if TYPE_CHECKING:
    import wasmtime

__all__ = ["Halt", "Import", "Machine", "OUT_OF_TIME", "Reason"]

OUT_OF_TIME = "the call took longer than it may"

Import = Callable[..., int]
"""A function of the host on the level of the machine: takes unsigned integers, returns one."""


class Reason(enum.Enum):
    """Why a guest was stopped."""

    TRAP = "trap"
    EXIT = "exit"
    FUEL = "fuel"
    INTERRUPT = "interrupt"
    MEMORY = "memory"


class Halt(Exception):
    """The engine stopped the guest; `__cause__` is its own exception. Does not leave this package."""

    def __init__(self, reason: Reason, message: str, exit_code: int = 0) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.exit_code = exit_code


class Machine(ABC):
    """A store with one instance in it. `define` what it imports, `instantiate`, then ask for its functions.

    `deadline` is a time of `time.monotonic`: from then on the guest is stopped; `interruption` stops it at once. Both
    have an effect while the engine's epoch advances, which is the business of `ticker.py`.
    """

    def __init__(self, store: wasmtime.Store) -> None:
        self.store = store
        self.engine = store.engine
        self.deadline = math.inf
        self.interruption: BaseException | None = None
        self.failure: BaseException | None = None

    def check(self) -> None:
        """Raise what the guest is to be stopped for now, if anything."""
        if self.interruption is not None:
            raise self.interruption
        if time.monotonic() >= self.deadline:
            raise TimeLimitError(OUT_OF_TIME)

    def fail(self, error: BaseException) -> None:
        """Keep the first of what went wrong on the host's side."""
        if self.failure is None:
            self.failure = error

    def take_failure(self) -> BaseException | None:
        """What went wrong on the host's side since the last time, if anything."""
        failure, self.failure = self.failure, None
        return failure

    @abstractmethod
    def define(self, module: str, name: str, signature: Signature, function: Import) -> None:
        """Offer a function to the guest. What it raises becomes `failure`, and stops the guest."""

    @abstractmethod
    def instantiate(self, module: wasmtime.Module) -> None:
        """Make the instance. Raises Halt, and MissingExportError if no memory is exported as `memory`."""

    @abstractmethod
    def function(self, name: str, signature: Signature) -> Callable[..., int]:
        """The exported function `name`, which has to have this signature. Takes unsigned integers, returns one.

        It raises Halt if the guest is stopped; 0 stands for no result.
        """

    @abstractmethod
    def set_deadline(self, deadline: float) -> None:
        """Set `deadline`; never later than it is needed, and before a call."""

    @abstractmethod
    def set_fuel(self, fuel: int) -> None:
        """Give the guest this much fuel, and no more."""

    @abstractmethod
    def read(self, pointer: int, size: int) -> bytes:
        """A copy of a piece of the guest's memory. Raises RemoteProtocolError if it is not all in there."""

    @abstractmethod
    def write(self, pointer: int, data: bytes) -> None:
        """Write to the guest's memory. Raises RemoteProtocolError if there is no such place."""

    @abstractmethod
    def memory_size(self) -> int:
        """The bytes that the guest's memory has now; 0 before there is one."""

    @abstractmethod
    def close(self) -> None:
        """Free everything. No other method may be called any more."""
