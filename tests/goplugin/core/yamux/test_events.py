from __future__ import annotations

import typing

import pytest

from goplugin.core.yamux import events


def test_every_event_is_one_of_the_union() -> None:
    names = {kind.__name__ for kind in typing.get_args(events.Event)}

    assert names | {"Event"} == set(events.__all__)


def test_an_event_does_not_change() -> None:
    event = events.StreamOpened(1)

    with pytest.raises(AttributeError):
        event.stream_id = 2  # type: ignore[misc]
