from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from host import Interrupted
from host.interrupts import Interrupts

# The timer that pytest-timeout would use is the one under test.
pytestmark = pytest.mark.timeout(60, method="thread")


def spin() -> None:
    while True:
        pass


def stubborn() -> None:
    """Does not end at the first interruption, like a script that catches everything."""
    try:
        spin()
    except Interrupted:
        spin()


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_the_call_with_its_code(signum: signal.Signals, code: int) -> None:
    with pytest.raises(Interrupted, match=f"ended by {signum.name}") as caught, Interrupts() as interrupts:
        interrupts.call(lambda: signal.raise_signal(signum))

    assert caught.value.exit_code == code


@pytest.mark.parametrize("body", [spin, stubborn])
def test_the_time_limit_ends_the_call(body: Callable[[], None]) -> None:
    with pytest.raises(Interrupted, match=r"time limit of 0\.05 s") as caught, Interrupts(0.05) as interrupts:
        interrupts.call(body)

    assert caught.value.exit_code == 124


def test_what_runs_outside_the_call_is_not_cut_short() -> None:
    finished: list[str] = []

    def run() -> None:
        with Interrupts() as interrupts:
            interrupts.call(lambda: finished.append("call"))
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGALRM)
            finished.append("closing")

    with pytest.raises(Interrupted):
        run()
    assert finished == ["call", "closing"]


def test_a_signal_before_the_call_ends_it_at_once() -> None:
    def run() -> None:
        with Interrupts() as interrupts:
            signal.raise_signal(signal.SIGTERM)
            interrupts.call(lambda: pytest.fail("called"))

    with pytest.raises(Interrupted):
        run()


def test_the_signal_outranks_what_the_call_made_of_it() -> None:
    def translate() -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        except Interrupted as error:
            raise ValueError("lost") from error

    with pytest.raises(Interrupted), Interrupts() as interrupts:
        interrupts.call(translate)


def test_an_ignored_signal_stays_ignored() -> None:
    previous = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupts() as interrupts:
            assert interrupts.call(lambda: signal.raise_signal(signal.SIGHUP)) is None
    finally:
        signal.signal(signal.SIGHUP, previous)


def test_the_handlers_are_put_back() -> None:
    before = [signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)]

    with Interrupts(60):
        pass

    assert [signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)] == before


def test_without_signals_the_call_gives_its_result() -> None:
    with Interrupts(60) as interrupts:
        assert interrupts.call(lambda: 42) == 42
