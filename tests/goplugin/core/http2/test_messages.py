from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goplugin.core.errors import LocalProtocolError
from goplugin.core.http2.faults import CallFault
from goplugin.core.http2.messages import MessageReader, check_message
from goplugin.core.status import Code

from .support import message, peak_of


def reader(limit: int = 1 << 20, encoding: str = "", *, server: bool = True) -> MessageReader:
    return MessageReader(limit, encoding, server=server)


@given(st.lists(st.binary(max_size=30), max_size=8), st.data())
def test_messages_come_whole_however_they_are_cut(payloads: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(message(payload) for payload in payloads)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)))))
    ours = reader()

    found: list[bytes] = []
    for start, stop in itertools.pairwise([0, *cuts, len(stream)]):
        found += ours.receive(b"xx" + stream + b"yy", start + 2, stop + 2)

    assert found == payloads
    assert not ours.unfinished


@given(st.binary(min_size=1, max_size=30), st.data())
def test_a_stream_cannot_end_inside_a_message(payload: bytes, data: st.DataObject) -> None:
    stream = message(payload)
    stop = data.draw(st.integers(1, len(stream) - 1))
    ours = reader()

    assert ours.receive(stream, 0, stop) == []
    assert ours.unfinished


class Huge(bytes):
    def __len__(self) -> int:
        return 2**32


def test_a_message_that_no_prefix_can_announce_is_refused() -> None:
    check_message(b"")
    with pytest.raises(LocalProtocolError, match="4294967296 octets"):
        check_message(Huge())


def test_a_length_that_is_only_claimed_takes_no_memory() -> None:
    ours = reader(limit=2**32)

    assert peak_of(lambda: ours.receive(b"\0\xff\xff\xff\xffabc", 0, 8)) < 10_000
    assert ours.unfinished


def test_an_unfinished_message_takes_little_more_than_its_length_however_short_its_pieces_are() -> None:
    ours = reader()
    data = message(bytes(100_000))

    def receive_all_but_one() -> None:
        for position in range(len(data) - 1):
            assert ours.receive(data, position, position + 1) == []

    assert peak_of(receive_all_but_one) < 130_000
    assert ours.receive(data, len(data) - 1, len(data)) == [bytes(100_000)]


def test_a_finished_message_is_not_copied() -> None:
    ours = reader(limit=1 << 24)
    data = message(bytes(1 << 24))
    ours.receive(data, 0, 1 << 23)

    assert peak_of(lambda: ours.receive(data, 1 << 23, len(data))) < (1 << 24) * 1.2


@pytest.mark.parametrize(
    ("prefix", "encoding", "server", "code", "text"),
    [
        (b"\0\0\0\0\x0b", "", True, Code.RESOURCE_EXHAUSTED, r"larger than max \(11 vs. 10\)"),
        (b"\x01\0\0\0\x01", "gzip", True, Code.UNIMPLEMENTED, 'not installed for grpc-encoding "gzip"'),
        (b"\x01\0\0\0\x01", "gzip", False, Code.INTERNAL, 'not installed for grpc-encoding "gzip"'),
        (b"\x01\0\0\0\x01", "identity", True, Code.INTERNAL, "identity or empty"),
        (b"\x01\0\0\0\x01", "", False, Code.INTERNAL, "identity or empty"),
        (b"\x02\0\0\0\x01", "", True, Code.INTERNAL, "unexpected payload format 2"),
    ],
)
def test_what_cannot_be_read_ends_the_call(prefix: bytes, encoding: str, server: bool, code: Code, text: str) -> None:
    ours = reader(10, encoding, server=server)

    with pytest.raises(CallFault, match=text) as caught:
        ours.receive(prefix, 0, len(prefix))

    assert caught.value.code is code
