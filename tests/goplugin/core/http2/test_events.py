from __future__ import annotations

import inspect

import pytest

from goplugin.core.http2 import RequestHead, StreamReset, UnaryRequest, events

CLASSES = [value for value in vars(events).values() if inspect.isclass(value) and issubclass(value, events.Value)]


def test_events_compare_by_content() -> None:
    head = RequestHead("/a/b", (("key", "value"),))

    assert UnaryRequest(1, head, b"x") == UnaryRequest(1, RequestHead("/a/b", (("key", "value"),)), b"x")
    assert UnaryRequest(1, head, b"x") != UnaryRequest(3, head, b"x")
    assert UnaryRequest(1, head, b"x") != 1
    assert events.RequestEnded(1) != events.StreamWritable(1)


def test_events_show_their_content() -> None:
    assert repr(StreamReset(1, events.Status(events.Code.OK), None)) == (
        "StreamReset(error_code=None, status=Status(code=<Code.OK: 0>, details=b'', message='', metadata=()), "
        "stream_id=1, unprocessed=False)"
    )


@pytest.mark.parametrize("cls", CLASSES[1:], ids=lambda cls: cls.__name__)
def test_the_docstring_names_every_field(cls: type[events.Value]) -> None:
    assert not hasattr(cls, "__dict__") or not cls.__dict__.get("__dict__")
    for name in cls.__slots__:
        assert f"`{name}`:" in (cls.__doc__ or ""), name


def test_every_event_is_in_the_union() -> None:
    records = {events.Value, events.RequestHead, events.Status}

    assert set(events.Event.__args__) == set(CLASSES) - records
