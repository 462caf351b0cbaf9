from __future__ import annotations

from typing import Any

import pytest

from goplugin.core.errors import ConfigError
from jsbridge.dochub import DocHub, Entry, Ref, Source, docs_module
from jsbridge.native import native_module
from tests.jsbridge.scripts import Session
from tests.support import requirement

PAGES = [
    Entry(
        Ref("help", "help-section", "start"),
        "Getting started",
        summary="How to begin",
        body="Install a PLUGIN first.",
        topics=("Plugins", "setup"),
        metadata={"slug": "start", "order": 1, "hidden": False, "commands": ["run", "eval"]},
    ),
    Entry(Ref("help", "help-section", "run"), "Run", topics=("scripts",), tags=("Daily",), path="/docs/run.md"),
    Entry(Ref("code", "symbol", "add"), "add", tags=("numbers",), related=(Ref("help", "help-section", "run"),)),
    Entry(Ref("code", "symbol", "Add"), "add"),
    Entry(Ref("code", "package", "zeta"), "zeta"),
]


@pytest.fixture
def hub() -> DocHub:
    return DocHub(
        Source("help", "help", "Help", "Pages", lambda: [each for each in PAGES if each.ref.source_id == "help"]),
        Source("code", "jsdoc", "Code", "", lambda: [each for each in PAGES if each.ref.source_id == "code"], True),
    )


def ids(entries: list[Entry]) -> list[str]:
    return [entry.ref.id for entry in entries]


def test_sources_are_listed_by_id(hub: DocHub) -> None:
    assert [source.id for source in hub.sources()] == ["code", "help"]


def test_a_second_source_of_an_id_is_refused(hub: DocHub) -> None:
    with pytest.raises(ConfigError, match='docs source "help" already registered'):
        hub.add(Source("help", "", "", "", list))


def test_results_are_ordered_by_source_kind_title_and_id(hub: DocHub) -> None:
    assert ids(hub.search()) == ["zeta", "Add", "add", "start", "run"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("plugin", ["start"]),
        (" how to BEGIN ", ["start"]),
        ("/docs", ["run"]),
        ("slug: start", ["start"]),
        ("hidden: false", ["start"]),
        ("commands: [run eval]", ["start"]),
        ("order: 1", ["start"]),
        ("numbers", []),
        ("  ", ["zeta", "Add", "add", "start", "run"]),
    ],
)
def test_text_is_found_in_everything_but_topics_and_tags(hub: DocHub, text: str, found: list[str]) -> None:
    assert ids(hub.search(text)) == found


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"source_ids": ["help"]}, ["start", "run"]),
        ({"source_ids": ["HELP"]}, []),
        ({"source_ids": ["nope", "help"]}, ["start", "run"]),
        ({"kinds": [" Symbol"]}, ["Add", "add"]),
        ({"kinds": ["symbol", "package"]}, ["zeta", "Add", "add"]),
        ({"topics": ["PLUGINS"]}, ["start"]),
        ({"topics": ["setup", "scripts"]}, ["start", "run"]),
        ({"tags": ["daily"]}, ["run"]),
        ({"tags": ["daily"], "topics": ["setup"]}, []),
        ({"tags": [" "]}, ["zeta", "Add", "add", "start", "run"]),
        ({"limit": 2}, ["zeta", "Add"]),
        ({"limit": -1, "kinds": ["package"]}, ["zeta"]),
    ],
)
def test_every_filter_is_to_hold_and_one_value_of_it_is_enough(
    hub: DocHub, filters: dict[str, Any], found: list[str]
) -> None:
    assert ids(hub.search(**filters)) == found


def test_an_entry_is_found_by_its_reference(hub: DocHub) -> None:
    assert hub.get(Ref("code", "symbol", "add")) is PAGES[2]
    assert hub.by_id("code", "package", "zeta") is PAGES[4]
    assert hub.by_slug("help", "run") is PAGES[1]
    assert hub.by_symbol("code", "Add") is PAGES[3]


@pytest.mark.parametrize("ref", [("x", "symbol", "add"), ("code", "x", "add"), ("code", "symbol", "x"), ("", "", "")])
def test_what_is_not_there_is_none(hub: DocHub, ref: tuple[str, str, str]) -> None:
    assert hub.by_id(*ref) is None


# require("docs")


@pytest.fixture
def docs(session: Session, hub: DocHub) -> Session:
    session.registry.natives.add("docs", lambda: native_module("docs", docs_module(hub)))
    session.engine.eval("var docs = require('docs')")
    return session


@requirement("jm.docs-hub")
def test_the_module_has_the_functions_of_go_go_gojas(docs: Session) -> None:
    assert docs.engine.eval("Object.keys(docs)") == ["sources", "search", "get", "byID", "bySlug", "bySymbol"]


@requirement("jm.docs-hub")
def test_a_script_sees_every_field_of_a_source_and_an_entry(docs: Session) -> None:
    assert docs.engine.eval("docs.sources()") == [
        {"id": "code", "kind": "jsdoc", "title": "Code", "summary": "", "runtimeScoped": True, "metadata": None},
        {"id": "help", "kind": "help", "title": "Help", "summary": "Pages", "runtimeScoped": False, "metadata": None},
    ]
    assert docs.engine.eval("docs.bySlug('help', 'start')") == {
        "ref": {"sourceId": "help", "kind": "help-section", "id": "start"},
        "title": "Getting started",
        "summary": "How to begin",
        "body": "Install a PLUGIN first.",
        "topics": ["Plugins", "setup"],
        "tags": [],
        "path": "",
        "kindLabel": "",
        "related": [],
        "metadata": {"slug": "start", "order": 1, "hidden": False, "commands": ["run", "eval"]},
    }
    assert docs.engine.eval("docs.bySymbol('code', 'add').related") == [
        {"sourceId": "help", "kind": "help-section", "id": "run"},
    ]


@requirement("jm.docs-hub")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["zeta", "Add", "add", "start", "run"]),
        ("null", ["zeta", "Add", "add", "start", "run"]),
        ("{text: 'plugin'}", ["start"]),
        ("{sourceIds: ['help'], limit: 1.5}", ["start"]),
        ("{kinds: ['package', 5, ' ']}", ["zeta"]),
        ("{topics: ['scripts'], tags: ['daily']}", ["run"]),
        ("{text: 5, kinds: 'package', limit: '1'}", ["zeta", "Add", "add", "start", "run"]),
        ("{limit: Infinity, kinds: ['package']}", ["zeta"]),
        ("{limit: NaN, kinds: ['package']}", ["zeta"]),
    ],
)
def test_a_query_is_an_object_whose_odd_parts_are_no_filters(docs: Session, query: str, found: list[str]) -> None:
    assert docs.engine.eval(f"docs.search({query}).map(function (entry) {{ return entry.ref.id }})") == found


@requirement("jm.docs-hub")
@pytest.mark.parametrize(
    "call",
    [
        "get()", "get(null)", "get({sourceId: 'code'})", "get({sourceId: 5, kind: 'symbol', id: 'add'})",
        "byID()", "byID('code', 'symbol')", "byID('code', 'symbol', {})",
        "bySlug('code', 'add')", "bySymbol('help', 'run')",
    ],
)
def test_what_is_not_there_is_null(docs: Session, call: str) -> None:
    assert docs.engine.eval(f"docs.{call}") is None


def test_a_reference_is_an_object_with_three_fields(docs: Session) -> None:
    assert docs.engine.eval("docs.get({sourceId: ' code', kind: 'symbol', id: 'add'}).title") == "add"
    assert docs.engine.eval("docs.get(docs.bySymbol('code', 'add').related[0]).title") == "Run"
