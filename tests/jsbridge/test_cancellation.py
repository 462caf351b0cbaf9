from __future__ import annotations

from jsbridge.cancellation import Cancellation


def test_who_listens_hears_of_it_once() -> None:
    cancel, heard = Cancellation(), list[str]()
    cancel.on_cancel(lambda: heard.append("before"))

    assert not cancel.cancelled
    cancel.cancel()
    cancel.cancel()

    assert cancel.cancelled
    assert heard == ["before"]


def test_who_comes_too_late_hears_of_it_at_once() -> None:
    cancel, heard = Cancellation(), list[str]()
    cancel.cancel()
    cancel.on_cancel(lambda: heard.append("after"))

    assert heard == ["after"]
