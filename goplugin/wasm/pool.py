"""Several instances of one module, for calls side by side."""
from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from types import TracebackType

from ..core.errors import ConfigError, RemoteError
from ..core.status import Code
from .abi import ServiceSpec
from .config import WasmConfig
from .errors import InstanceLostError
from .host import HostModule
from .instance import Instance
from .module import Module

__all__ = ["Pool"]


class Pool:
    """Instances of one module that share nothing but its code: each call goes to one that has nothing to do.

    There are never more than `size`; they are made when they are needed, the one that was used last is used first, and
    a lost one is replaced. A plugin that keeps something between calls keeps it in one of them. Any thread may use it;
    long calls run in parallel, short ones mostly wait for Python.
    """

    def __init__(
        self,
        module: Module,
        *services: ServiceSpec,
        size: int,
        hosts: Sequence[HostModule] = (),
        config: WasmConfig | None = None,
    ) -> None:
        """Makes the first instance, to see that it can be. Raises as `Module.instantiate`."""
        if size < 1:
            raise ConfigError(f"a pool of {size} instances could take no call")
        self._module = module
        self._services = services
        self._hosts = hosts
        self._config = config
        self._closed = False
        self._changed = threading.Condition()
        self._room = size - 1       # instances that may still be made
        self._busy: set[Instance] = set()
        self._idle = [self._new()]

    def call(self, export: str, request: bytes, *, timeout: float | None = None) -> bytes:
        """As `Instance.call`, by an instance that has nothing to do.

        Raises RemoteError with DEADLINE_EXCEEDED if all are busy for `timeout` seconds, and what `Module.instantiate`
        raises if a new one has to be made and cannot be.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        instance = self._take(deadline)
        try:
            return instance.call(export, request, timeout=None if deadline is None else deadline - time.monotonic())
        finally:
            self._give_back(instance)

    def close(self) -> None:
        """Close all instances, which ends the calls that are under way. Idempotent."""
        with self._changed:
            self._closed = True
            instances = [*self._idle, *self._busy]
            self._changed.notify_all()
        for instance in instances:
            instance.close()

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _new(self) -> Instance:
        return self._module.instantiate(*self._services, hosts=self._hosts, config=self._config)

    def _take(self, deadline: float | None) -> Instance:
        with self._changed:
            while not self._closed and not self._idle and not self._room:
                remaining = None if deadline is None else deadline - time.monotonic()
                if remaining is not None and remaining <= 0:
                    raise RemoteError(Code.DEADLINE_EXCEEDED, f"{self._module.name}: all instances are busy")
                self._changed.wait(remaining)
            if self._closed:
                raise InstanceLostError(f"the pool of {self._module.name} is closed")
            if self._idle:
                instance = self._idle.pop()
                self._busy.add(instance)
                return instance
            self._room -= 1
        try:
            instance = self._new()  # outside of the lock: it takes a millisecond, and may take much longer
        except BaseException:
            self._make_room()
            raise
        with self._changed:
            self._busy.add(instance)
        return instance

    def _give_back(self, instance: Instance) -> None:
        with self._changed:
            self._busy.discard(instance)
            closed = self._closed
            if not closed and not instance.lost:
                self._idle.append(instance)
                self._changed.notify()
                return
        instance.close()
        self._make_room()

    def _make_room(self) -> None:
        with self._changed:
            self._room += 1
            self._changed.notify()
