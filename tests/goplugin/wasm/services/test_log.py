from __future__ import annotations

import logging

import pytest

from goplugin.core.errors import RemoteProtocolError
from goplugin.core.protowire import bytes_field
from goplugin.wasm.services import log_to
from tests.support import requirement


def entry(message: str, level: str = "", **fields: str) -> bytes:
    pairs = [bytes_field(1, name.encode()) + bytes_field(2, value.encode()) for name, value in fields.items()]
    return b"".join((
        bytes_field(1, message.encode()), bytes_field(2, level.encode()), *(bytes_field(3, pair) for pair in pairs)
    ))  # fmt: skip


@requirement("wa.logging")
@pytest.mark.parametrize(
    ("level", "number"),
    [("trace", 5), ("debug", 10), ("info", 20), ("WARN", 30), ("error", 40), ("", 20), ("loud", 20)],
)
def test_a_plugins_entry_is_a_record_of_the_logger(level: str, number: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(1)

    response = log_to(logging.getLogger("greeter")).functions["log"](entry("100 % done", level, name="Bob", n="1"))

    [record] = caplog.records
    assert response == b""
    assert (record.name, record.levelno, record.getMessage()) == ("greeter", number, "100 % done name=Bob n=1")


def test_a_request_that_is_no_message_is_refused() -> None:
    with pytest.raises(RemoteProtocolError):
        log_to(logging.getLogger("greeter")).functions["log"](b"\xff")


def test_the_module_may_have_another_name() -> None:
    assert log_to(logging.getLogger("greeter")).name == "goplugin"
    assert log_to(logging.getLogger("greeter"), module="env").name == "env"
