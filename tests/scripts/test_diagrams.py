from __future__ import annotations

import enum

from goplugin.core.lifecycle import TRANSITIONS
from scripts.diagrams import DOCS, diagram, with_diagrams


class State(enum.Enum):
    OFF = 1
    ON = 2
    BROKEN = 3


class Event(enum.Enum):
    PRESSED = "somebody presses it"
    DROPPED = "it falls"


SWITCH = {
    (State.OFF, Event.PRESSED): State.ON,
    (State.ON, Event.PRESSED): State.OFF,
    (State.ON, Event.DROPPED): State.BROKEN,
}


def test_a_table_becomes_a_diagram_from_its_first_state_to_those_without_a_way_out() -> None:
    assert diagram(SWITCH).splitlines() == [
        "stateDiagram-v2",
        "    [*] --> OFF",
        "    OFF --> ON: somebody presses it",
        "    ON --> OFF: somebody presses it",
        "    ON --> BROKEN: it falls",
        "    BROKEN --> [*]",
    ]


def test_a_diagram_is_written_below_its_marker_and_replaces_an_older_one() -> None:
    marker = "<!-- diagram: goplugin.core.lifecycle -->\n"

    written = with_diagrams(f"before\n\n{marker}\nbehind\n")

    assert diagram(TRANSITIONS) in written
    assert written.startswith("before\n\n")
    assert written.endswith("\nbehind\n")
    assert with_diagrams(written) == written
    assert with_diagrams(written.replace("NEW --> STARTING", "NEW --> EXITED")) == written


def test_the_protocol_page_shows_the_life_of_a_plugin_as_the_code_has_it() -> None:
    assert diagram(TRANSITIONS) in (DOCS / "protocol.md").read_text("utf-8")
