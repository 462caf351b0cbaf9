from __future__ import annotations

from host.repl.bindings import Binding, Unkept, parse

TEXT = """[
    {"name": "a", "lexical": true, "source": "1"}, {"name": "b", "reason": "it is odd"},
    {"name": "_", "lexical": false, "source": "2"}
]"""


def test_what_the_probe_says_is_read() -> None:
    assert parse(TEXT, without=frozenset("_")) == ((Binding("a", True, "1"),), (Unkept("b", "it is odd"),))
    assert len(parse(TEXT).bindings) == 2


def test_a_binding_is_a_statement_whose_source_may_end_in_a_comment() -> None:
    assert Binding("a", True, "1 // one").statement == "let a = (1 // one\n);"
    assert Binding("a", False, "1").statement == "var a = (1\n);"
