from __future__ import annotations

import time

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from goplugin.wasm.services import clock


@pytest.mark.parametrize("now", [0, 1, 10**9, 1_700_000_000_123_456_789, -1, -(10**18)])
def test_the_time_is_that_of_the_host(now: int) -> None:
    response = clock(lambda: now).functions["now"](b"")

    assert Timestamp.FromString(response).ToNanoseconds() == now


def test_by_default_it_is_the_real_one() -> None:
    before = time.time_ns()

    now = Timestamp.FromString(clock(module="env").functions["now"](b"")).ToNanoseconds()

    assert before <= now <= time.time_ns()
