from __future__ import annotations

import itertools

import pytest

from goplugin.core.errors import LocalProtocolError
from goplugin.core.lifecycle import TRANSITIONS, Event, Lifecycle, State

ROADS = {
    State.NEW: [],
    State.STARTING: [Event.LAUNCHED],
    State.READY: [Event.LAUNCHED, Event.HANDSHAKE_ACCEPTED],
    State.DRAINING: [Event.LAUNCHED, Event.HANDSHAKE_ACCEPTED, Event.SHUTDOWN_SENT],
    State.EXITED: [Event.LAUNCHED, Event.PROCESS_EXITED],
    State.DETACHED: [Event.ATTACHED, Event.LEFT],
}
IMPOSSIBLE = [step for step in itertools.product(State, Event) if step not in TRANSITIONS]


def lifecycle_in(state: State) -> Lifecycle:
    lifecycle = Lifecycle()
    for event in ROADS[state]:
        lifecycle.advance(event)
    return lifecycle


@pytest.mark.parametrize("state", list(State))
def test_every_state_can_be_reached(state: State) -> None:
    assert lifecycle_in(state).state is state


@pytest.mark.parametrize(("state", "event"), list(TRANSITIONS))
def test_an_event_leads_where_the_table_says(state: State, event: Event) -> None:
    lifecycle = lifecycle_in(state)

    assert lifecycle.advance(event) is TRANSITIONS[state, event]
    assert lifecycle.state is TRANSITIONS[state, event]


@pytest.mark.parametrize(("state", "event"), IMPOSSIBLE)
def test_an_event_that_is_not_in_the_table_is_our_mistake_and_changes_nothing(state: State, event: Event) -> None:
    lifecycle = lifecycle_in(state)

    with pytest.raises(LocalProtocolError, match=f"^{event.value} is impossible while {state.value}$"):
        lifecycle.advance(event)
    assert lifecycle.state is state


@pytest.mark.parametrize("state", [State.STARTING, State.READY, State.DRAINING])
def test_a_plugin_may_die_at_any_time_after_its_launch(state: State) -> None:
    assert lifecycle_in(state).advance(Event.PROCESS_EXITED) is State.EXITED


def test_nothing_follows_the_end() -> None:
    assert not [event for state, event in TRANSITIONS if state in (State.EXITED, State.DETACHED)]
