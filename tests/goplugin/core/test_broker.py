from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goplugin.core.broker import (
    LONGEST_ADDRESS,
    MOST_PENDING,
    PENDING_SECONDS,
    AddressKnown,
    BrokerEvent,
    BrokerMachine,
    DialFailed,
    MultiplexedBroker,
    PlainBroker,
    StreamGranted,
)
from goplugin.core.environ import go_quote
from goplugin.core.errors import BrokerTimeout, LocalProtocolError, PluginLostError, RemoteProtocolError
from goplugin.core.messages import ConnInfo, Knock
from tests.support import requirement

KNOCK = Knock(knock=True)
ACK = Knock(knock=True, ack=True)
BOTH = pytest.mark.parametrize("kind", [PlainBroker, MultiplexedBroker])


def events(machine: BrokerMachine) -> list[BrokerEvent]:
    found: list[BrokerEvent] = []
    while (event := machine.next_event()) is not None:
        found.append(event)
    return found


def messages(machine: BrokerMachine, now: float = 0.0) -> list[ConnInfo]:
    found: list[ConnInfo] = []
    while (message := machine.message_to_send(now)) is not None:
        found.append(message)
    return found


def failure(machine: BrokerMachine, kind: type[Exception]) -> str:
    """The text of the one event there is, which must be a failure of this kind."""
    [event] = events(machine)
    assert isinstance(event, DialFailed)
    assert type(event.error) is kind
    return str(event.error)


def info(service_id: int = 1, address: str = "/tmp/plugin1") -> ConnInfo:
    return ConnInfo(service_id, "unix", address)


# --- both modes ----------------------------------------------------------------------------------------------------


@BOTH
def test_ids_begin_at_one_and_each_side_counts_for_itself(kind: type[BrokerMachine]) -> None:
    machine, other = kind(), kind()

    assert [machine.next_id(), machine.next_id(), other.next_id()] == [1, 2, 1]


@BOTH
def test_ids_go_round_as_go_counts_them(kind: type[BrokerMachine]) -> None:
    machine = kind()
    machine._ids = 0xFFFF_FFFF

    assert [machine.next_id(), machine.next_id()] == [0, 1]


@BOTH
@pytest.mark.parametrize("service_id", [-1, 1 << 32])
def test_an_id_has_thirty_two_bits(kind: type[BrokerMachine], service_id: int) -> None:
    with pytest.raises(LocalProtocolError, match="is no id"):
        kind().dial(service_id, 0.0)


@BOTH
def test_a_broker_at_rest_says_nothing_and_waits_for_nothing(kind: type[BrokerMachine]) -> None:
    machine = kind()

    assert machine.next_event() is None
    assert machine.message_to_send(0.0) is None
    assert machine.next_deadline() is None


@BOTH
def test_what_waits_fails_when_the_broker_is_closed(kind: type[BrokerMachine]) -> None:
    machine = kind()
    dials = [machine.dial(1, 0.0), machine.dial(2, 0.0)]
    messages(machine)

    machine.close()

    failed = events(machine)
    assert [event.dial for event in failed] == dials
    assert all("broker closed" in str(event.error) for event in failed if isinstance(event, DialFailed))
    assert messages(machine) == []
    assert machine.next_deadline() is None


@BOTH
def test_a_broker_is_closed_once(kind: type[BrokerMachine]) -> None:
    machine = kind()
    machine.dial(1, 0.0)
    machine.close()
    events(machine)

    machine.close()

    assert machine.closed
    assert events(machine) == []


@BOTH
def test_a_closed_broker_dials_no_more(kind: type[BrokerMachine]) -> None:
    machine = kind()
    machine.close()

    with pytest.raises(PluginLostError, match="broker closed"):
        machine.dial(1, 0.0)


@BOTH
def test_a_plugin_broker_goes_on_with_the_next_host(kind: type[BrokerMachine]) -> None:
    machine = kind()
    machine.next_id()
    machine.dial(1, 0.0)
    machine.close()
    events(machine)

    machine.reopen()

    assert machine.next_id() == 2
    assert machine.dial(1, 0.0) == 2
    assert not machine.closed


@BOTH
@pytest.mark.parametrize("message", [info(), ConnInfo(1, knock=KNOCK), ConnInfo(1, knock=ACK)])
def test_a_closed_broker_listens_no_more(kind: type[BrokerMachine], message: ConnInfo) -> None:
    machine = kind()
    machine.close()

    machine.receive_message(message, 0.0)

    assert events(machine) == []
    assert messages(machine) == []
    assert machine.next_deadline() is None


@BOTH
def test_cancelling_a_dial_that_is_over_does_nothing(kind: type[BrokerMachine]) -> None:
    kind().cancel_dial(7)


# --- plain: an announcement and a dial, in either order ------------------------------------------------------------


@requirement("gp.broker.plain")
def test_accepting_announces_the_address() -> None:
    machine = PlainBroker()

    machine.send_conn_info(1, "unix", "/tmp/plugin1")
    machine.send_conn_info(2, "tcp", "127.0.0.1:10000")

    assert messages(machine) == [info(), ConnInfo(2, "tcp", "127.0.0.1:10000")]


@requirement("gp.broker.plain")
def test_a_dial_takes_the_announcement_that_is_there() -> None:
    machine = PlainBroker()
    machine.receive_message(info(), 0.0)

    dial = machine.dial(1, 4.9)

    assert events(machine) == [AddressKnown(dial, "unix", "/tmp/plugin1")]
    assert machine.next_deadline() is None


@requirement("gp.broker.plain")
def test_a_dial_waits_for_the_announcement() -> None:
    machine = PlainBroker()
    dial = machine.dial(1, 0.0)
    assert events(machine) == []

    machine.receive_message(ConnInfo(1, "tcp", "127.0.0.1:10000"), 4.9)

    assert events(machine) == [AddressKnown(dial, "tcp", "127.0.0.1:10000")]


@requirement("gp.broker.plain")
def test_an_announcement_serves_one_dial() -> None:
    machine = PlainBroker()
    machine.receive_message(info(), 0.0)
    machine.dial(1, 0.0)
    events(machine)

    machine.dial(1, 1.0)
    assert machine.next_deadline() == 1.0 + PENDING_SECONDS
    machine.expire(1.0 + PENDING_SECONDS)

    assert failure(machine, BrokerTimeout) == "timeout waiting for connection info"


@requirement("gp.broker.plain")
def test_an_announcement_is_kept_for_five_seconds() -> None:
    machine = PlainBroker()
    machine.receive_message(info(), 0.0)
    assert machine.next_deadline() == PENDING_SECONDS

    machine.dial(1, PENDING_SECONDS)

    assert events(machine) == []


@requirement("gp.broker.plain")
def test_a_dial_waits_for_five_seconds() -> None:
    machine = PlainBroker()
    machine.dial(1, 0.0)

    machine.expire(PENDING_SECONDS - 0.1)
    assert events(machine) == []
    machine.expire(PENDING_SECONDS)

    assert failure(machine, BrokerTimeout) == "timeout waiting for connection info"


def test_an_announcement_that_comes_late_waits_for_the_next_dial() -> None:
    machine = PlainBroker()
    machine.dial(1, 0.0)

    machine.receive_message(info(), PENDING_SECONDS)

    assert failure(machine, BrokerTimeout)
    dial = machine.dial(1, PENDING_SECONDS)
    assert events(machine) == [AddressKnown(dial, "unix", "/tmp/plugin1")]


def test_announcements_reach_dials_by_id_and_in_their_order() -> None:
    machine = PlainBroker()
    first, other, second = machine.dial(1, 0.0), machine.dial(2, 0.0), machine.dial(1, 0.0)

    for message in info(1, "/a"), info(1, "/b"), info(2, "/c"):
        machine.receive_message(message, 0.0)

    assert events(machine) == [
        AddressKnown(first, "unix", "/a"), AddressKnown(second, "unix", "/b"), AddressKnown(other, "unix", "/c"),
    ]


def test_a_cancelled_dial_leaves_the_announcement_to_the_next() -> None:
    machine = PlainBroker()
    machine.cancel_dial(machine.dial(1, 0.0))
    machine.receive_message(info(), 0.0)

    dial = machine.dial(1, 0.0)

    assert events(machine) == [AddressKnown(dial, "unix", "/tmp/plugin1")]


def test_of_two_announcements_the_second_is_dropped() -> None:
    machine = PlainBroker()
    machine.receive_message(info(1, "/first"), 0.0)
    machine.receive_message(info(1, "/second"), 1.0)

    dial = machine.dial(1, 2.0)
    machine.dial(1, 2.0)

    assert events(machine) == [AddressKnown(dial, "unix", "/first")]


@pytest.mark.parametrize("message", [ConnInfo(1, "udp", "host:1"), ConnInfo(1, knock=ACK)])
def test_an_address_of_an_unknown_kind_fails_its_dial(message: ConnInfo) -> None:
    machine = PlainBroker()
    machine.dial(1, 0.0)

    machine.receive_message(message, 0.0)

    assert failure(machine, RemoteProtocolError) == f"unknown address type: {message.address}"


@pytest.mark.parametrize(
    ("network", "address"),
    [
        ("unix", ""), ("unix", "/a\0b"), ("tcp", "host"), ("tcp", ":1"), ("tcp", "host:http"), ("tcp", "host:65536"),
        ("tcp", "host:\u0663"), ("tcp", "a..b:1"), ("tcp", "\0:1"), ("tcp", "x" * 64 + ":1"),
    ],
)
def test_an_address_that_cannot_be_one_fails_its_dial(network: str, address: str) -> None:
    machine = PlainBroker()
    machine.dial(1, 0.0)

    machine.receive_message(ConnInfo(1, network, address), 0.0)

    assert failure(machine, RemoteProtocolError) == f"invalid {network} address {go_quote(address)}"


@pytest.mark.parametrize("address", ["127.0.0.1:1", "[::1]:65535", "[fe80::1%eth0]:010000", "my-host.example_1.org:80"])
def test_an_address_may_be_of_any_kind_that_can_be_dialled(address: str) -> None:
    machine = PlainBroker()
    dial = machine.dial(1, 0.0)

    machine.receive_message(ConnInfo(1, "tcp", address), 0.0)

    assert events(machine) == [AddressKnown(dial, "tcp", address)]


def test_an_address_beyond_all_measure_is_refused() -> None:
    machine = PlainBroker()
    machine.receive_message(info(1, "/" * (LONGEST_ADDRESS - len("unix"))), 0.0)

    with pytest.raises(RemoteProtocolError, match=r"^the address announced for id 2 is too long$"):
        machine.receive_message(info(2, "/" * LONGEST_ADDRESS), 0.0)


def test_nobody_hears_a_knock_without_multiplexing() -> None:
    machine = PlainBroker()
    machine.dial(1, 0.0)

    machine.receive_message(ConnInfo(1, knock=KNOCK), 0.0)

    assert events(machine) == []
    assert messages(machine) == []


def test_announcements_nobody_asks_for_are_kept_up_to_a_limit() -> None:
    machine = PlainBroker()
    for service_id in range(MOST_PENDING + 1):
        machine.receive_message(info(service_id), 0.0)

    last, beyond = machine.dial(MOST_PENDING - 1, 0.0), machine.dial(MOST_PENDING, 0.0)

    assert events(machine) == [AddressKnown(last, "unix", "/tmp/plugin1")]
    machine.expire(PENDING_SECONDS)
    assert [event.dial for event in events(machine)] == [beyond]


# --- multiplexed: the side that dials ------------------------------------------------------------------------------


@requirement("gp.broker.mux")
def test_a_dial_knocks_and_opens_a_stream_when_it_is_acknowledged() -> None:
    machine = MultiplexedBroker()

    dial = machine.dial(1, 0.0)

    assert [message.SerializeToString().hex(" ") for message in messages(machine)] == ["08 01 22 02 08 01"]
    machine.receive_message(ConnInfo(1, knock=ACK), 4.9)
    assert events(machine) == [StreamGranted(dial)]
    assert machine.next_deadline() is None


@requirement("gp.broker.mux")
def test_one_knock_at_a_time_is_under_way() -> None:
    machine = MultiplexedBroker()
    first, second = machine.dial(1, 0.0), machine.dial(2, 0.0)
    assert messages(machine) == [ConnInfo(1, knock=KNOCK)]

    machine.receive_message(ConnInfo(1, knock=ACK), 1.0)

    assert events(machine) == [StreamGranted(first)]
    assert messages(machine) == [ConnInfo(2, knock=KNOCK)]
    machine.receive_message(ConnInfo(2, knock=ACK), 2.0)
    assert events(machine) == [StreamGranted(second)]


@requirement("gp.broker.mux")
def test_one_id_may_be_dialled_again_and_again() -> None:
    machine = MultiplexedBroker()
    for _ in range(3):
        dial = machine.dial(1, 0.0)
        assert messages(machine) == [ConnInfo(1, knock=KNOCK)]
        machine.receive_message(ConnInfo(1, knock=ACK), 0.0)
        assert events(machine) == [StreamGranted(dial)]


@requirement("gp.broker.mux")
def test_a_knock_is_answered_within_five_seconds_of_its_being_sent() -> None:
    machine = MultiplexedBroker()
    machine.dial(3, 0.0)
    assert machine.next_deadline() is None
    messages(machine, 10.0)
    assert machine.next_deadline() == 10.0 + PENDING_SECONDS

    machine.expire(10.0 + PENDING_SECONDS)

    assert failure(machine, BrokerTimeout) == (
        "failed to knock before dialling client: timeout waiting for multiplexing knock handshake on id 3"
    )


def test_the_next_dial_knocks_when_one_has_failed() -> None:
    machine = MultiplexedBroker()
    machine.dial(1, 0.0)
    machine.dial(2, 0.0)
    messages(machine)

    assert messages(machine, PENDING_SECONDS) == [ConnInfo(2, knock=KNOCK)]


@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        (
            ConnInfo(1, knock=Knock(knock=True, ack=True, error="no such id")),
            PluginLostError,
            "rpc error: code = Unavailable desc = failed to knock before dialling client: "
            "failed to knock for id 1: no such id",
        ),
        (
            ConnInfo(1, knock=Knock(ack=True)),
            RemoteProtocolError,
            "failed to knock before dialling client: handshake failed for multiplexing on id 1; "
            "expected knock and ack, but got Knock(knock=False, ack=True, error='')",
        ),
        (
            info(),
            RemoteProtocolError,
            "failed to knock before dialling client: handshake failed for multiplexing on id 1; "
            "expected knock and ack, but got None",
        ),
        (
            ConnInfo(1, knock=Knock()),
            RemoteProtocolError,
            "failed to knock before dialling client: handshake failed for multiplexing on id 1; "
            "expected knock and ack, but got Knock(knock=False, ack=False, error='')",
        ),
    ],
)
def test_any_other_answer_fails_the_dial(answer: ConnInfo, kind: type[Exception], text: str) -> None:
    machine = MultiplexedBroker()
    machine.dial(1, 0.0)
    messages(machine)

    machine.receive_message(answer, 0.0)

    assert failure(machine, kind) == text


def test_an_answer_for_another_id_leaves_a_knock_unanswered() -> None:
    machine = MultiplexedBroker()
    machine.dial(1, 0.0)
    messages(machine)

    machine.receive_message(info(2), 0.0)

    assert events(machine) == []
    assert machine.next_deadline() == PENDING_SECONDS


def test_a_late_acknowledgement_is_used_because_the_peer_waits_for_a_stream() -> None:
    machine = MultiplexedBroker()
    machine.dial(1, 0.0)
    messages(machine)
    machine.expire(PENDING_SECONDS)
    events(machine)

    machine.receive_message(ConnInfo(1, knock=ACK), PENDING_SECONDS)

    assert events(machine) == [StreamGranted(0)]


def test_a_dial_that_is_cancelled_in_time_never_knocks() -> None:
    machine = MultiplexedBroker()
    machine.cancel_dial(machine.dial(1, 0.0))

    assert messages(machine) == []


def test_a_knock_that_is_under_way_is_seen_through_although_its_dial_is_cancelled() -> None:
    machine = MultiplexedBroker()
    dial = machine.dial(1, 0.0)
    machine.dial(2, 0.0)
    messages(machine)

    machine.cancel_dial(dial)

    assert messages(machine) == []
    machine.receive_message(ConnInfo(1, knock=ACK), 0.0)
    assert events(machine) == [StreamGranted(dial)]


# --- multiplexed: the side that accepts ----------------------------------------------------------------------------


@requirement("gp.broker.mux")
def test_the_stream_behind_an_acknowledged_knock_is_the_ids() -> None:
    machine = MultiplexedBroker()
    machine.accept(1)

    machine.receive_message(ConnInfo(1, knock=KNOCK), 0.0)

    assert [message.SerializeToString().hex(" ") for message in messages(machine)] == ["08 01 22 04 08 01 10 01"]
    assert machine.receive_stream(0.0) == 1
    assert machine.receive_stream(0.0) is None


@requirement("gp.broker.mux")
def test_a_stream_without_a_knock_is_no_ids() -> None:
    machine = MultiplexedBroker()
    machine.accept(1)

    assert machine.receive_stream(0.0) is None


def test_a_stream_that_comes_before_the_acknowledgement_is_no_ids() -> None:
    machine = MultiplexedBroker()
    machine.accept(1)
    machine.receive_message(ConnInfo(1, knock=KNOCK), 0.0)

    assert machine.receive_stream(0.0) is None


@requirement("gp.broker.mux")
def test_a_knock_waits_for_somebody_who_accepts() -> None:
    machine = MultiplexedBroker()
    machine.receive_message(ConnInfo(1, knock=KNOCK), 0.0)
    assert messages(machine) == []

    machine.accept(1)

    assert messages(machine, 4.9) == [ConnInfo(1, knock=ACK)]


@requirement("gp.broker.mux")
def test_a_knock_waits_for_five_seconds() -> None:
    machine = MultiplexedBroker()
    machine.receive_message(ConnInfo(1, knock=KNOCK), 0.0)
    assert machine.next_deadline() == PENDING_SECONDS

    machine.accept(1)

    assert messages(machine, PENDING_SECONDS) == []


@requirement("gp.broker.mux")
def test_one_knock_at_a_time_is_acknowledged() -> None:
    machine = MultiplexedBroker()
    machine.accept(1)
    machine.accept(2)
    machine.receive_message(ConnInfo(2, knock=KNOCK), 0.0)
    machine.receive_message(ConnInfo(1, knock=KNOCK), 0.0)

    assert messages(machine) == [ConnInfo(2, knock=ACK)]
    assert machine.receive_stream(0.0) == 2
    assert messages(machine) == [ConnInfo(1, knock=ACK)]
    assert machine.receive_stream(0.0) == 1


def test_an_acknowledgement_that_is_not_used_within_five_seconds_counts_no_more() -> None:
    machine = MultiplexedBroker()
    machine.accept(1)
    machine.receive_message(ConnInfo(1, knock=KNOCK), 0.0)
    messages(machine, 1.0)
    assert machine.next_deadline() == 1.0 + PENDING_SECONDS

    assert machine.receive_stream(1.0 + PENDING_SECONDS) is None


def test_of_two_knocks_that_wait_for_one_id_the_second_is_dropped() -> None:
    machine = MultiplexedBroker()
    machine.receive_message(ConnInfo(1, knock=KNOCK), 0.0)
    machine.receive_message(ConnInfo(1, knock=KNOCK), 0.0)
    machine.accept(1)

    assert messages(machine) == [ConnInfo(1, knock=ACK)]
    assert machine.receive_stream(0.0) == 1
    assert messages(machine) == []


def test_an_id_that_is_accepted_no_more_gets_the_stream_it_was_granted_and_no_other() -> None:
    machine = MultiplexedBroker()
    machine.accept(1)
    machine.receive_message(ConnInfo(1, knock=KNOCK), 0.0)
    messages(machine)

    machine.stop_accepting(1)
    machine.stop_accepting(1)
    machine.receive_message(ConnInfo(1, knock=KNOCK), 0.0)

    assert machine.receive_stream(0.0) == 1
    assert messages(machine) == []


def test_an_id_is_accepted_once() -> None:
    machine = MultiplexedBroker()
    machine.accept(1)

    with pytest.raises(LocalProtocolError, match=r"^id 1 is accepted already$"):
        machine.accept(1)


def test_a_closed_broker_accepts_no_more() -> None:
    plain, multiplexed = PlainBroker(), MultiplexedBroker()
    plain.close()
    multiplexed.close()

    with pytest.raises(PluginLostError, match="broker closed"):
        plain.send_conn_info(1, "unix", "/tmp/plugin1")
    with pytest.raises(PluginLostError, match="broker closed"):
        multiplexed.accept(1)


def test_a_broker_that_is_closed_before_its_dial_could_knock_fails_it() -> None:
    machine = MultiplexedBroker()
    machine.dial(1, 0.0)

    machine.close()

    assert "broker closed" in failure(machine, PluginLostError)


def test_knocks_for_what_nobody_accepts_are_kept_up_to_a_limit() -> None:
    machine = MultiplexedBroker()
    for service_id in range(MOST_PENDING + 1):
        machine.receive_message(ConnInfo(service_id, knock=KNOCK), 0.0)

    machine.accept(MOST_PENDING)
    assert messages(machine) == []
    machine.accept(MOST_PENDING - 1)
    assert messages(machine) == [ConnInfo(MOST_PENDING - 1, knock=ACK)]


# --- whatever the peer does ----------------------------------------------------------------------------------------

TIMES = st.floats(0.0, 3.0)
IDS = st.integers(0, 3)
KNOCKS = st.none() | st.builds(Knock, st.booleans(), st.booleans(), st.sampled_from(["", "no"]))
ADDRESSES = st.sampled_from(["", "/tmp/x", "/" * (LONGEST_ADDRESS + 1)])
MESSAGES = st.builds(ConnInfo, IDS, st.sampled_from(["", "unix", "tcp", "udp"]), ADDRESSES, KNOCKS)
STEPS = st.lists(
    st.tuples(TIMES, st.one_of(
        MESSAGES,
        st.tuples(st.sampled_from(["dial", "cancel", "accept", "stop", "stream"]), IDS),
    )),
    max_size=60,
)


def take_step(machine: BrokerMachine, step: ConnInfo | tuple[str, int], now: float) -> int:
    """Do what the peer or the application does next; the number of the dial, if it is one."""
    if isinstance(step, ConnInfo):
        machine.receive_message(step, now)
        return 0
    verb, number = step
    if verb == "dial":
        return machine.dial(number, now)
    if verb == "cancel":
        machine.cancel_dial(number)
    elif isinstance(machine, PlainBroker):
        machine.send_conn_info(number, "unix", "/tmp/x")
    elif isinstance(machine, MultiplexedBroker):
        verbs = {"accept": machine.accept, "stop": machine.stop_accepting}
        verbs.get(verb, lambda _: machine.receive_stream(now))(number)
    return 0


@BOTH
@given(steps=STEPS)
def test_every_dial_ends_with_one_event(
    kind: type[BrokerMachine], steps: list[tuple[float, ConnInfo | tuple[str, int]]]
) -> None:
    machine = kind()
    now = 0.0
    waiting: dict[int, float] = {}
    cancelled: list[int] = []

    for pause, step in steps:
        now += pause
        try:
            dial = take_step(machine, step, now)
        except RemoteProtocolError:
            assert kind is PlainBroker
        except LocalProtocolError:
            assert step == ("accept", step[1])
        else:
            if dial:
                waiting[dial] = now
        if isinstance(step, tuple) and step[0] == "cancel":
            waiting.pop(step[1], None)
            cancelled.append(step[1])
        messages(machine, now)
        machine.expire(now)
        for event in events(machine):
            assert event.dial in waiting or event.dial in (0, *cancelled)
            waiting.pop(event.dial, None)
        deadline = machine.next_deadline()
        assert deadline is None or now < deadline <= now + PENDING_SECONDS

    while machine.next_deadline() is not None:
        now += PENDING_SECONDS
        machine.expire(now)
        messages(machine, now)
        for event in events(machine):
            waiting.pop(event.dial, None)
    assert not waiting


@BOTH
@given(flood=st.lists(MESSAGES, max_size=40), data=st.data())
def test_what_a_peer_sends_takes_no_more_room_than_the_limit(
    kind: type[BrokerMachine], flood: list[ConnInfo], data: st.DataObject
) -> None:
    machine = kind()
    for message in flood:
        for service_id in range(0, 2 * MOST_PENDING, 97):
            try:
                machine.receive_message(message._replace(service_id=message.service_id + service_id), 0.0)
            except RemoteProtocolError:
                break
        events(machine)

    sizes = [len(value) for value in vars(machine).values() if isinstance(value, dict | set)]
    assert max(sizes) <= MOST_PENDING


@given(ids=st.lists(st.integers(1, 4), min_size=1, max_size=20), lazy=st.booleans())
def test_two_brokers_agree_whose_every_stream_is(ids: list[int], lazy: bool) -> None:
    dialler, listener = MultiplexedBroker(), MultiplexedBroker()
    for service_id in range(1, 5):
        listener.accept(service_id)
    wanted = {dialler.dial(service_id, 0.0): service_id for service_id in ids}

    opened: list[tuple[int, int | None]] = []
    while (message := dialler.message_to_send(0.0)) is not None:
        listener.receive_message(message, 0.0)
        for answer in messages(listener):
            dialler.receive_message(answer, 0.0)
        for event in events(dialler):
            assert isinstance(event, StreamGranted)
            opened.append((wanted[event.dial], listener.receive_stream(0.0)))

    assert opened == [(service_id, service_id) for service_id in ids]

