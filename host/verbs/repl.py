"""`repl`: a prompt for JavaScript with all plugins loaded; host/repl is what it does."""
from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from goplugin.core.errors import ConfigError, PluginError

from .base import PluginVerb, set_up_logging

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from ..plugin_output import Show
    from ..repl.prompt import Terminal
    from ..repl.store import Store
    from ..runtime import Runtime

__all__ = ["Repl"]

_PROFILES = ("raw", "interactive", "persistent")
_SESSION = "default"
_STORE, _HISTORY = "sessions.sqlite", "history"
_QUIET = ("debug", "trace")


class Repl(PluginVerb):
    profile: str | None
    session: str | None
    store: str | None

    def add_arguments(self, parser: ArgumentParser) -> None:
        about = "a bare engine, a session, or a session that is kept (default: interactive)"
        parser.add_argument("--profile", choices=_PROFILES, help=about)
        parser.add_argument("--session", metavar="NAME", help="the session to keep (profile persistent)")
        parser.add_argument("--store", metavar="FILE", help="where sessions are kept")

    def prepare(self) -> None:
        if self.settings.json:
            raise ConfigError("the REPL prints for people: `eval --json CODE` is what prints JSON")
        if self.profile is None:
            self.profile = "persistent" if self.session or self.store else "interactive"
        if self.profile != "persistent" and (self.session or self.store):
            raise ConfigError(f"--session and --store are for the profile persistent, not {self.profile}")

    def run(self) -> int | None:
        from ..interrupts import Interrupts
        from ..terminal import Progress

        self.prepare()
        set_up_logging(as_json=False)
        self._runtimes: list[Runtime] = []
        # The time limit is for each input, and the engine's.
        with Interrupts() as interrupts:
            try:
                return interrupts.call(self._converse)
            finally:
                with Progress("ending plugins"):
                    for runtime in self._runtimes:
                        runtime.close()

    def output_to(self) -> Show | None:
        from ..plugin_output import printer

        if self.settings.plugin_logs or not _is_terminal():
            return super().output_to()
        show = printer(as_json=False)
        return lambda name, kind, text: None if kind in _QUIET else show(name, kind, text)

    def _converse(self) -> int:
        from ..repl.store import Store, data_directory

        directory = data_directory(os.environ)
        if self.profile != "persistent":
            return self._converse_with(None, directory)
        store = Store(self.store or os.path.join(directory, _STORE))
        try:
            return self._converse_with(store, directory)
        finally:
            store.close()

    def _converse_with(self, store: Store | None, directory: str) -> int:
        from ..repl.piped import PlainScreen
        from ..repl.piped import run as run_piped
        from ..repl.session import Profile, Session

        terminal = self._terminal(store, directory) if _is_terminal() else None
        screen = terminal or PlainScreen()
        profile = Profile(self.profile)
        session = Session(self._start, screen, profile=profile, store=store, name=self.session or _SESSION)
        session.open()
        return run_piped(session, sys.stdin) if terminal is None else terminal.run(session)

    def _start(self) -> Runtime:
        """A loaded runtime, which ends with the run, if not before."""
        runtime = self.new_runtime()
        self._runtimes.append(runtime)
        try:
            self.load(runtime)
        except PluginError:
            runtime.close()
            raise
        return runtime

    def _terminal(self, store: Store | None, directory: str) -> Terminal:
        try:
            from ..repl.prompt import FileHistory, InMemoryHistory, StoreHistory, Terminal
        except ModuleNotFoundError as error:
            if error.name != "prompt_toolkit":
                raise
            text = "the REPL needs prompt_toolkit in a terminal: pip install prompt_toolkit, or 'goplugin[repl]'"
            raise ConfigError(text) from None
        if store is not None:
            return Terminal(StoreHistory(store, self.session or _SESSION))
        if self.profile == "raw":
            return Terminal(InMemoryHistory())
        return Terminal(FileHistory(_history_file(directory)))


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def _history_file(directory: str) -> str:
    from ..repl.store import make_private

    path = os.path.join(directory, _HISTORY)
    try:
        make_private(path)
    except OSError as error:
        raise ConfigError(f"the history {path} cannot be kept: {error}; --profile raw has none") from error
    return path
