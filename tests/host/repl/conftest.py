"""An engine without plugins, and sessions with one."""
from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from host.repl import styled
from host.repl.evaluator import Evaluator
from host.repl.session import Profile, Session
from host.repl.store import Store
from host.repl.styled import Styled
from host.runtime import Runtime
from jsbridge.engine import DukpyEngine
from jsbridge.registry import ModuleRegistry


class Page:
    """A screen that keeps what it is given, as text."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.complaints: list[str] = []

    def show(self, text: Styled) -> None:
        self.shown.append(styled.plain(text))

    def complain(self, text: Styled) -> None:
        self.complaints.append(styled.plain(text))


class Talk:
    """A session and its page."""

    def __init__(self, session: Session, page: Page) -> None:
        self.session = session
        self.page = page

    def say(self, text: str) -> str:
        """What an input that goes well is answered with."""
        before = len(self.page.shown)
        assert self.session.run(text), self.page.complaints
        return "\n".join(self.page.shown[before:])

    def fail(self, text: str) -> str:
        """What one that fails is answered with."""
        assert not self.session.run(text)
        return self.page.complaints[-1]


MakeTalk = Callable[..., Talk]


@pytest.fixture
def evaluator() -> Iterator[Evaluator]:
    with DukpyEngine(ModuleRegistry()) as engine:
        yield Evaluator(engine)


class Starter:
    """Makes sessions, and ends their plugins."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._runtimes: list[Runtime] = []

    def __call__(
        self,
        profile: Profile = Profile.INTERACTIVE,
        store: Store | None = None,
        name: str = "",
        timeout: float | None = None,
    ) -> Talk:
        page = Page()
        session = Session(lambda: self._start(timeout), page, profile=profile, store=store, name=name)
        session.open()
        return Talk(session, page)

    def _start(self, timeout: float | None) -> Runtime:
        runtime = Runtime([self._directory], timeout=timeout)
        self._runtimes.append(runtime)
        runtime.load()
        return runtime

    def close(self) -> None:
        for runtime in self._runtimes:
            runtime.close()


@pytest.fixture
def make_talk(directory: str) -> Iterator[MakeTalk]:
    with contextlib.closing(Starter(directory)) as starter:
        yield starter


@pytest.fixture(scope="module")
def module_talk(directory: str) -> Iterator[Talk]:
    """One session for all tests of a module."""
    with contextlib.closing(Starter(directory)) as starter:
        yield starter()


@pytest.fixture
def talk(make_talk: MakeTalk) -> Talk:
    return make_talk()
