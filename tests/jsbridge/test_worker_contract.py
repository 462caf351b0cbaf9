from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goplugin.core.errors import RemoteProtocolError
from goplugin.core.protowire import bytes_field, uint_field
from jsbridge import worker_contract
from jsbridge.worker_contract import CONVERSE_PATH, RUN, Turn
from tests.goplugin.core import oracle

PROTO = (Path(__file__).parents[2] / "proto" / "jsbridge" / "_proto" / "jsworker.proto").read_text("utf-8")
TURN = PROTO.partition("message Turn {")[2].partition("}")[0]
SCHEMA = {"Turn": re.findall(r"^  (\w+ \w+ = \d+);", TURN, re.MULTILINE)}
KINDS = {name: int(number) for name, number in re.findall(r"^  (KIND_\w+) = (\d+);", PROTO, re.MULTILINE)}
ORACLE: Any = oracle.message_types("jsbridge.worker.v1", SCHEMA, enums={"Kind": KINDS})["Turn"]

turns = st.builds(Turn, st.integers(0, 5), st.binary(), st.binary())


def test_the_path_and_the_kinds_are_those_of_the_proto_file() -> None:
    package, service, method = (
        re.search(rf"{keyword} ([\w.]+)", PROTO)[1]  # pyright: ignore[reportOptionalSubscript]
        for keyword in ("package", "service", "rpc")
    )

    assert f"/{package}.{service}/{method}" == CONVERSE_PATH
    assert {getattr(worker_contract, name.removeprefix("KIND_"), 0): number for name, number in KINDS.items()} == {
        number: number for number in range(6)
    }


@given(turns)
def test_a_turn_is_on_the_wire_what_protobuf_writes(turn: Turn) -> None:
    assert turn.SerializeToString() == ORACLE(kind=turn.kind, name=turn.name, data=turn.data).SerializeToString()


@given(turns)
def test_a_turn_arrives_as_it_was_sent(turn: Turn) -> None:
    assert Turn.FromString(turn.SerializeToString()) == turn


def test_unknown_fields_and_other_types_are_skipped() -> None:
    message = bytes_field(1, b"x") + uint_field(2, 1) + uint_field(3, 1) + bytes_field(9, b"x") + uint_field(1, RUN)

    assert Turn.FromString(message) == Turn(RUN)


@given(st.binary())
def test_any_bytes_are_a_turn_or_a_protocol_error(data: bytes) -> None:
    try:
        Turn.FromString(data)
    except RemoteProtocolError:
        return


def test_a_message_that_is_cut_off_is_a_protocol_error() -> None:
    with pytest.raises(RemoteProtocolError):
        Turn.FromString(Turn(RUN, b"code").SerializeToString()[:-1])
