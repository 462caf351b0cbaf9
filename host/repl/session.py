"""What a REPL does with each input, whatever it comes from and goes to.

Rule 1: an input that fails is told about, and the session goes on.
Rule 2: what is declared survives a restart of the plugins as far as it has a source text (bindings.py), and in the
profile `persistent` the end of the program, too. What has none is named, once.
"""
from __future__ import annotations

import enum
import glob
import os
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from goplugin.core.errors import ConfigError, PluginError

from ..help import topics
from ..runtime import Runtime
from . import commands, meta, styled
from .bindings import Binding, Captured, Unkept
from .completion import Known
from .evaluator import Evaluator, own_lines
from .scope import Scope
from .store import Store
from .styled import Styled

__all__ = ["Profile", "Screen", "Session"]


class Profile(enum.Enum):
    """How much a session does: evaluate; keep `_`, and what is declared over `:reload`; keep it in a store."""

    RAW = "raw"
    INTERACTIVE = "interactive"
    PERSISTENT = "persistent"


class Screen(Protocol):
    """Where a session shows what it has to say."""

    def show(self, text: Styled) -> object:
        """A result, or what a command tells."""
        ...

    def complain(self, text: Styled) -> object:
        """What went wrong, and what is said about it."""
        ...


class Session:
    """Runs inputs, one after the other; `start` loads a runtime, which is the session's then.

    `store`, with the `name` of the session in it, is for the profile PERSISTENT. `close` ends the plugins.
    """

    def __init__(
        self,
        start: Callable[[], Runtime],
        screen: Screen,
        *,
        profile: Profile = Profile.INTERACTIVE,
        store: Store | None = None,
        name: str = "",
    ) -> None:
        self.profile = profile
        self.screen = screen
        self.timing = False
        """Whether each input is followed by the time it took."""
        self._start = start
        self._store = store
        self._name = name
        self._told: set[Unkept] = set()
        self._kept: list[Binding] = []
        self._adopt(start())

    def open(self) -> None:
        """Declare again what the store has of the session."""
        if self._store is None:
            return
        self._kept = self._store.bindings(self._name)
        self._restore(self._kept)
        if self._kept:
            names = ", ".join(binding.name for binding in self._kept)
            self.screen.show([("note", f"session {self._name}: {names}")])

    def close(self) -> None:
        """End the plugins. Idempotent."""
        self.runtime.close()

    def known(self) -> Known:
        """What there is to complete."""
        return Known(self.scope, tuple(self.runtime.natives), self._evaluator.keys, _files, topics())

    def run(self, text: str) -> bool:
        """Run an input, JavaScript or a command; False if it failed. Raises Leave."""
        if not text.strip():
            return True
        try:
            if meta.is_meta(text):
                commands.perform(self, meta.parse(text))
            else:
                self.evaluate(text)
        except PluginError as error:
            self.screen.complain(styled.error(error))
            return False
        return True

    def evaluate(self, code: str, *, timed: bool = False) -> None:
        """Run JavaScript and show its result, and with `timed` how long it took. Raises JSError."""
        self._look_for_losses()
        begun = time.perf_counter()
        try:
            text = self._evaluator.run(code)
        except PluginError:
            self._save()  # what came before the error
            raise
        took = time.perf_counter() - begun
        self.scope.learn(code)
        if text:
            self.screen.show(styled.result(own_lines(text)))
        if timed or self.timing:
            self.screen.show([("note", _duration(took))])
        self._save()

    def load(self, path: str) -> None:
        """Run a file as if it were typed. Raises ConfigError if it cannot be read, and JSError."""
        try:
            with open(os.path.expanduser(path), encoding="utf-8") as file:
                code = file.read()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} cannot be read: {error}") from error
        self.evaluate(code)

    def reload(self) -> None:
        """Start the plugins anew, in a new engine; if that fails, the old ones stay."""
        captured = Captured() if self.profile is Profile.RAW else self._capture()
        runtime = self._start()
        self.runtime.close()
        names = self.scope
        self._adopt(runtime)
        self.scope.adopt(names)
        self._restore(captured.bindings)
        self._tell(captured.unkept, again=True)
        self.screen.show([("note", self.runtime.report.summary())])

    def _adopt(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.scope = Scope(module.manifest for module in runtime.modules)
        self._evaluator = Evaluator(runtime.engine, keeps_last=self.profile is not Profile.RAW)
        self._evaluator.prepare()

    def _restore(self, bindings: Iterable[Binding]) -> None:
        bindings = list(bindings)
        failed = self._evaluator.restore(bindings)
        for binding in bindings:
            self.scope.learn(f"{binding.name} = {binding.source}")
        if failed:
            self._say(f"not restored: {'; '.join(map(str, failed))}")

    def _look_for_losses(self) -> None:
        """An input that was cut off may have taken with it all that had been declared."""
        if self._evaluator.prepare():
            return
        if self._kept:
            self._restore(self._kept)
            self._say("the engine was lost when it was cut off; what the session keeps is restored")
        else:
            self._say("the engine was lost when it was cut off, and what had been declared with it")

    def _capture(self) -> Captured:
        return self._evaluator.capture([*self.scope.modules, *self.runtime.natives])

    def _save(self) -> None:
        if self._store is None:
            return
        self._look_for_losses()
        captured = self._capture()
        if list(captured.bindings) != self._kept:
            self._store.save(self._name, captured.bindings)
            self._kept = list(captured.bindings)
        self._tell(captured.unkept)

    def _tell(self, unkept: Iterable[Unkept], *, again: bool = False) -> None:
        news = [each for each in unkept if again or each not in self._told]
        self._told.update(news)
        if news:
            self._say(f"not kept: {'; '.join(map(str, news))}")

    def _say(self, text: str) -> None:
        self.screen.complain([("note", text)])


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.2f} s"


def _files(prefix: str) -> list[str]:
    """The files and directories whose path begins with `prefix`; directories end with a slash."""
    found = glob.glob(glob.escape(os.path.expanduser(prefix)) + "*")
    return [f"{path}/" if os.path.isdir(path) else path for path in sorted(found)]
