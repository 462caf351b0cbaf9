from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator

import pytest

from goplugin.core.http2 import PingAcknowledged, SettingsChanged
from goplugin.sync import watcher

from .support import no_threads, served_by_hand, wait_until


@pytest.fixture(autouse=True)
def nobody_watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A watcher of its own for each test, in no hurry to be slow."""
    monkeypatch.setattr(watcher, "_PERIOD", 0.01)
    monkeypatch.setattr(watcher, "watch", watcher._Watcher().watch)
    wait_until(lambda: running() == 0)
    yield
    wait_until(lambda: running() == 0)


def running() -> int:
    return sum(thread.name == "goplugin-watcher" for thread in threading.enumerate())


def test_one_thread_looks_after_all_channels() -> None:
    with served_by_hand() as (first, peer), served_by_hand() as (second, other):
        watcher.watch(first)
        watcher.watch(second)
        for end in (peer, other):
            end.receive(SettingsChanged)
            end.machine.send_ping(b"anybody?")
            assert end.receive(PingAcknowledged).payload == b"anybody?"
        assert running() == 1


def test_it_ends_with_the_last_channel_and_begins_again_with_the_next() -> None:
    for _ in range(2):
        with served_by_hand() as (channel, peer):
            watcher.watch(channel)
            assert running() == 1
            peer.socket.close()
            wait_until(lambda: running() == 0)


def test_it_keeps_no_channel() -> None:
    with served_by_hand() as (channel, _):
        watcher.watch(channel)
        reference = weakref.ref(channel)
        channel.close()
        del channel
    gc.collect()
    wait_until(lambda: reference() is None)


def test_a_channel_works_though_there_is_no_thread_to_look_after_it() -> None:
    with served_by_hand() as (first, _), served_by_hand() as (second, _):
        with no_threads():
            watcher.watch(first)
        assert running() == 0
        watcher.watch(second)
        assert running() == 1
