"""JavaScript with limits: the engine whose interpreter is a worker process, which ends whatever the script does.

In this process a script that another thread runs cannot be ended, nor one that is in a long step of the interpreter's
own, and the size of the heap is compiled in. Here both limits hold, on any thread. A plugin call has one more hop to
make for it; docs/javascript-limits.md has the figures.

Rule 1: it is DukpyEngine with its interpreter elsewhere. Scripts see no difference; modules, files, output and plugin
calls stay in this process, on the thread that evaluates.
Rule 2: a limit ends the worker, and so does any other exception that cuts a script off. What had been defined is gone
then; what is evaluated next begins with a new worker.
Rule 3: an exception that comes while a script's call is answered, a signal's or that of process.exit, lets the script
end by itself; one that catches it and goes on is cut off a moment later.
"""
from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from time import monotonic
from typing import Any, TypeVar

from goplugin.core.errors import ConfigError, LocalProtocolError, PluginError

from ._dukpy import IS_DUKTAPE
from .engine import DukpyEngine, JSError
from .registry import ModuleRegistry
from .worker_process import Dispatch, WorkerInterpreter, WorkerLostError, WorkerProcess

__all__ = ["LEAST_MEMORY", "LimitedEngine", "MemoryLimitError", "TimeLimitError"]

T = TypeVar("T")

_GONE = "and what had been defined is gone"

LEAST_MEMORY = 4 << 20
"""In bytes; less would leave the worker itself no room beside the script."""

_STOP_SECONDS = 0.5
"""What a script may still take when an exception waits for its end."""

_QUICKJS_HEAP = 128 << 20
_OUT_OF_MEMORY = {("InternalError", "out of memory"), ("", "null"), ("Error", "alloc failed")}
"""Name and message of what QuickJS throws if it can still make an error, if it cannot, and of what Duktape throws."""

_LOST = repr(MemoryError)
"""What is left of a MemoryError by which a plugin call failed in the worker, before it came to be one."""


class TimeLimitError(JSError):
    """The script took longer than it may; its code is Node's, ERR_SCRIPT_EXECUTION_TIMEOUT."""

    def __init__(self, seconds: float) -> None:
        text = f"the time limit of {seconds:g} s is over, {_GONE}; `timeout` sets it"
        super().__init__(text, message=text, code="ERR_SCRIPT_EXECUTION_TIMEOUT")


class MemoryLimitError(JSError):
    """The script wanted more memory than it may have; its code is Node's, ERR_WORKER_OUT_OF_MEMORY."""

    def __init__(self, size: int) -> None:
        text = f"out of memory: the script needs more than its limit of {_text_of(size)}, {_GONE}; `memory` sets it"
        super().__init__(text, message=text, code="ERR_WORKER_OUT_OF_MEMORY")


class LimitedEngine:
    """`Engine` in a worker process, which starts with the first script.

    `timeout` (seconds) is for each `eval`, `eval_text` and `run_file` as a whole, plugin calls included; `memory`
    (bytes) is for all that the engine's scripts hold. They raise TimeLimitError and MemoryLimitError.
    `close` does not wait: a script that runs on another thread ends, with LocalProtocolError there.
    The `options` are DukpyEngine's.
    Raises ConfigError for a `memory` of less than LEAST_MEMORY, and where the system keeps no such limit.
    """

    def __init__(
        self,
        registry: ModuleRegistry,
        *,
        timeout: float | None = None,
        memory: int | None = None,
        **options: Any,
    ) -> None:
        if memory is not None and sys.platform != "linux":
            raise ConfigError("a memory limit is kept on Linux only")
        if memory is not None and memory < LEAST_MEMORY:
            raise ConfigError(f"a memory limit of {_text_of(memory)} is too small: it must be {_text_of(LEAST_MEMORY)}")
        self._timeout = timeout
        self._memory = memory
        self._options = {"registry": registry, "time_left": self._time_left, **options}
        self._turn = threading.RLock()      # scripts wait for one another
        self._worker: _Worker | None = None
        self._closed = False

    def eval(self, code: str) -> Any:
        return self._run(lambda engine: engine.eval(code))

    def eval_text(self, code: str) -> str:
        return self._run(lambda engine: engine.eval_text(code))

    def run_file(self, path: str | os.PathLike[str], argv: Sequence[str] = ()) -> None:
        self._run(lambda engine: engine.run_file(path, argv))

    def close(self) -> None:
        self._closed = True
        worker = self._worker
        if worker is not None:
            worker.end(LocalProtocolError("the JavaScript engine was closed while a script ran"))
            if self._turn.acquire(blocking=False):      # otherwise the run does the rest
                worker.free()
                self._turn.release()

    def __enter__(self) -> LimitedEngine:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _run(self, use: Callable[[DukpyEngine], T]) -> T:
        if self._worker is not None:
            self._worker.engine.check_thread()
        with self._turn:
            self._check_open()
            worker = self._worker_in_use()
            if worker.busy:     # a plugin call evaluates code in the engine that makes it
                return worker.run(use)
            try:
                with self._time_limit(worker):
                    return worker.run(use)
            except PluginError as error:
                limit = self._limit_behind(error, worker)
                if limit is None:
                    raise
                raise limit from None
            except KeyboardInterrupt as error:
                if self._memory is None or _LOST not in str(error):
                    raise
                worker.end(MemoryLimitError(self._memory))
                raise MemoryLimitError(self._memory) from None
            finally:
                if not worker.intact:
                    worker.end(LocalProtocolError("the script was cut off"))
                    worker.free()

    def _worker_in_use(self) -> _Worker:
        """The worker, or a new one if that has ended. With the turn."""
        if self._worker is None or not self._worker.intact:
            self._worker = _Worker(self._timeout, self._memory, self._options)
            if self._closed:        # meanwhile, by a thread that did not see it
                self.close()
                self._check_open()
        return self._worker

    def _check_open(self) -> None:
        if self._closed:
            raise LocalProtocolError("the JavaScript engine is closed")

    @contextlib.contextmanager
    def _time_limit(self, worker: _Worker) -> Generator[None]:
        """A context that ends the worker when it takes too long; one that had no time to notice is too late, too."""
        if worker.watch is None:
            yield
            return
        worker.watch.begin()
        try:
            yield
        finally:
            worker.watch.end()
        if worker.ending is not None:
            raise worker.ending

    def _time_left(self) -> float | None:
        """For a plugin call."""
        watch = None if self._worker is None else self._worker.watch
        return None if watch is None else watch.time_left()

    def _limit_behind(self, error: PluginError, worker: _Worker) -> PluginError | None:
        """Why the worker has been ended, if that led to `error`; it is, if that is because its memory is full."""
        if self._memory is not None and (isinstance(error, WorkerLostError) or self._is_out_of_memory(error)):
            worker.end(MemoryLimitError(self._memory))
        return worker.ending

    def _is_out_of_memory(self, error: PluginError) -> bool:
        """Whether `error` is what a script gets at our limit, and not at what QuickJS has in any case."""
        ours = self._memory is not None and (IS_DUKTAPE or self._memory <= _QUICKJS_HEAP)
        return ours and isinstance(error, JSError) and (error.name, error.message) in _OUT_OF_MEMORY


class _Worker:
    """A worker process with an engine in it. `ending` says why it has been ended."""

    def __init__(self, timeout: float | None, memory: int | None, options: dict[str, Any]) -> None:
        self.ending: PluginError | None = None
        self.watch = None if timeout is None else _Watch(timeout, lambda: self.end(TimeLimitError(timeout)))
        self._process = WorkerProcess(memory=memory)
        self._stop_watch = _Watch(_STOP_SECONDS, self._process.kill)
        try:
            self.engine = DukpyEngine(interpreter=self._open, on_stop=self._stop_watch.begin, **options)
        except BaseException:
            self._process.kill()
            raise

    def _open(self, dispatch: Dispatch) -> WorkerInterpreter:
        self._interpreter = self._process.interpreter(dispatch)
        return self._interpreter

    def run(self, use: Callable[[DukpyEngine], T]) -> T:
        try:
            return use(self.engine)
        finally:
            self._stop_watch.end()

    @property
    def busy(self) -> bool:
        """Whether a script waits for an answer of this process."""
        return self._interpreter.busy

    @property
    def intact(self) -> bool:
        """Whether there can be another script: it has not been ended, and none was cut off."""
        return self.ending is None and self._interpreter.intact

    def end(self, reason: PluginError) -> None:
        """End whatever it does; from any thread. The first reason counts."""
        self.ending = self.ending or reason
        self._process.kill()
        self.engine.interrupt(self.ending)

    def free(self) -> None:
        """Forget what the ended script has left here; with the engine's turn."""
        self.engine.close()
        self._stop_watch.close()
        if self.watch is not None:
            self.watch.close()


class _Watch:
    """Has `expire` called, on another thread, if what has begun takes longer than `seconds`.

    The thread sleeps until the run that it knows of should have ended, and if there is another by then goes on with
    that: many short runs take one thread, which nobody has to wake.
    """

    def __init__(self, seconds: float, expire: Callable[[], object]) -> None:
        self._seconds = seconds
        self._expire = expire
        self._lock = threading.Lock()
        self._deadline: float | None = None     # of the run that is under way
        self._looking = False
        self._closed = threading.Event()

    def begin(self) -> None:
        with self._lock:
            self._deadline = monotonic() + self._seconds
            if not self._looking:
                threading.Thread(target=self._look, name="javascript-time-limit", daemon=True).start()
                self._looking = True

    def end(self) -> None:
        with self._lock:
            self._deadline = None

    def time_left(self) -> float:
        """Seconds; of the run that is under way."""
        return max(0.0, self._deadline - monotonic()) if self._deadline is not None else self._seconds

    def close(self) -> None:
        self._closed.set()

    def _look(self) -> None:
        while True:
            with self._lock:
                left = 0.0 if self._deadline is None else self._deadline - monotonic()
                if left <= 0:
                    self._looking = False
                    expired = self._deadline is not None
                    break
            if self._closed.wait(left):
                return
        if expired:
            self._expire()


def _text_of(size: int) -> str:
    """A number of bytes, for people."""
    for unit, name in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if size % unit == 0:
            return f"{size // unit} {name}"
    return f"{size} bytes"
