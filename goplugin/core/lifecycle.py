"""Life of one plugin process, as its host sees it.

    NEW -> STARTING -> READY -> DRAINING -> EXITED
    NEW (launched by another host) -> READY -> DETACHED (left to another host)

Rule 1: everything that may change the state is in TRANSITIONS.
Rule 2: from STARTING on the process may end at any moment, of itself or by force; the end is always the same event.
Rule 3: there is no way back: a plugin that has ended is started again as another one.
Source: go-plugin client.go, Start and Kill.
"""
from __future__ import annotations

import enum

from .errors import LocalProtocolError

__all__ = ["TRANSITIONS", "Event", "Lifecycle", "State"]


class State(enum.Enum):
    """Where a plugin is between its launch and its end."""

    NEW = "new"  # nothing launched yet
    STARTING = "starting"  # process launched, its handshake not accepted yet
    READY = "ready"  # handshake accepted, calls may be made
    DRAINING = "draining"  # Shutdown sent, waiting for the exit
    EXITED = "exited"  # process reaped
    DETACHED = "detached"  # left running, for another host


class Event(enum.Enum):
    """What can happen to a plugin."""

    LAUNCHED = "launched"
    ATTACHED = "attached"
    HANDSHAKE_ACCEPTED = "handshake accepted"
    SHUTDOWN_SENT = "shutdown sent"
    PROCESS_EXITED = "process exited"
    LEFT = "left"


TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.NEW, Event.LAUNCHED): State.STARTING,
    (State.NEW, Event.ATTACHED): State.READY,
    (State.STARTING, Event.HANDSHAKE_ACCEPTED): State.READY,
    (State.STARTING, Event.PROCESS_EXITED): State.EXITED,
    (State.READY, Event.SHUTDOWN_SENT): State.DRAINING,
    (State.READY, Event.PROCESS_EXITED): State.EXITED,
    (State.READY, Event.LEFT): State.DETACHED,
    (State.DRAINING, Event.PROCESS_EXITED): State.EXITED,
}


class Lifecycle:
    """Current state of one plugin; `advance` is the only way to change it."""

    def __init__(self) -> None:
        self.state = State.NEW

    def advance(self, event: Event) -> State:
        """Apply `event` and return the new state.

        Raises LocalProtocolError if the event cannot happen now: that is a bug in the caller, not in the plugin.
        """
        try:
            self.state = TRANSITIONS[self.state, event]
        except KeyError:
            raise LocalProtocolError(f"{event.value} is impossible while {self.state.value}") from None
        return self.state
