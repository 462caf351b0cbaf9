from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from types import FrameType

import pytest

from goplugin.sync import uninterrupted as uninterrupted_module
from goplugin.sync.uninterrupted import uninterrupted

from .support import SECONDS, background


def nobody_hurries() -> None:
    raise AssertionError("there was no interrupt")


@pytest.fixture
def interrupts() -> Iterator[None]:
    """SIGUSR1 raises KeyboardInterrupt, as SIGINT does in a program that wants it."""

    def handle(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGUSR1, handle)
    yield
    signal.signal(signal.SIGUSR1, previous)


def interrupt() -> None:
    assert threading.main_thread().ident is not None
    signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)


def test_work_gives_its_result() -> None:
    assert uninterrupted(lambda: 7, nobody_hurries) == 7
    assert uninterrupted(lambda: None, nobody_hurries) is None


def test_work_raises_what_it_raises() -> None:
    with pytest.raises(ZeroDivisionError):
        uninterrupted(lambda: 1 / 0, nobody_hurries)


def test_the_main_thread_does_not_work_itself_and_others_do() -> None:
    assert uninterrupted(threading.get_ident, nobody_hurries) != threading.get_ident()

    def ident_and_worker() -> tuple[int, int]:
        return threading.get_ident(), uninterrupted(threading.get_ident, nobody_hurries)

    ident, worker = background(ident_and_worker).result()
    assert ident == worker


@pytest.mark.usefixtures("interrupts")
def test_an_interrupt_hurries_the_work_and_is_raised_behind_it() -> None:
    hurried, over = threading.Event(), []

    def work() -> None:
        interrupt()
        assert hurried.wait(SECONDS)
        over.append(True)

    with pytest.raises(KeyboardInterrupt):
        uninterrupted(work, hurried.set)

    assert over == [True]


@pytest.mark.usefixtures("interrupts")
def test_however_often_it_is_interrupted_the_work_is_done_once() -> None:
    begun, hurried = [], threading.Event()

    def work() -> None:
        begun.append(True)
        for _ in range(50):
            interrupt()
            threading.Event().wait(0.002)
        assert hurried.wait(SECONDS)

    with pytest.raises(KeyboardInterrupt):
        uninterrupted(work, hurried.set)

    assert begun == [True]


@pytest.mark.usefixtures("interrupts")
def test_an_interrupt_hides_what_the_work_raised() -> None:
    def work() -> None:
        interrupt()
        threading.Event().wait(0.05)
        raise ValueError("given up")

    with pytest.raises(KeyboardInterrupt):
        uninterrupted(work, lambda: None)


@pytest.mark.parametrize("what", ["start_new_thread", "both"])
def test_without_another_thread_the_work_is_done_all_the_same(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    def refuse(*args: object) -> None:
        raise RuntimeError("can't start new thread")

    if what == "both":
        monkeypatch.setattr(threading.Thread, "start", refuse)
    monkeypatch.setattr(uninterrupted_module, "start_new_thread", refuse)

    assert uninterrupted(lambda: 7, nobody_hurries) == 7


def test_a_host_may_end_its_plugins_at_its_very_end() -> None:
    program = """
import atexit
from goplugin.sync.uninterrupted import uninterrupted
atexit.register(lambda: uninterrupted(lambda: print("done"), print))
"""

    ended = subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.PIPE, text=True)

    assert ended.stdout == "done\n"
