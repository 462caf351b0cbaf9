from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.repl.syntax import Kind, is_complete, significant, tokens

SOUP = st.lists(st.sampled_from([*"`'\"/*\\${}()[].,;=a1 \n", "${", "//", "/*", "*/", "é", "=>", "await ", "const "]))


def kinds(text: str) -> list[tuple[str, str]]:
    return [(token.kind.value, token.text) for token in significant(tokens(text))]


@given(SOUP.map("".join) | st.text())
def test_the_tokens_of_any_text_are_the_text(text: str) -> None:
    found = tokens(text)

    assert "".join(token.text for token in found) == text
    assert all(text.startswith(token.text, token.start) and token.text for token in found)


@given(SOUP.map("".join) | st.text())
def test_of_any_text_it_is_known_whether_it_is_complete(text: str) -> None:
    assert is_complete(text) in (True, False)


def test_words_are_keywords_constants_and_names() -> None:
    assert kinds("const of = null") == [
        ("keyword", "const"), ("name", "of"), ("punctuation", "="), ("constant", "null"),
    ]
    assert kinds("for (x of y)")[3] == ("keyword", "of")
    assert kinds("async () => 1")[0] == ("name", "async")
    assert kinds("async function f() {}")[0] == ("keyword", "async")


def test_behind_a_dot_every_word_is_a_name() -> None:
    assert kinds("a.delete?.new") == [
        ("name", "a"), ("punctuation", "."), ("name", "delete"), ("punctuation", "?."), ("name", "new"),
    ]


@pytest.mark.parametrize("number", ["0", "1.5", ".5", "1e-3", "0xff", "0b101", "0o17", "1_000", "10n"])
def test_numbers_are_one_token(number: str) -> None:
    assert kinds(number) == [("number", number)]


def test_a_slash_divides_behind_a_value_and_begins_a_regular_expression_elsewhere() -> None:
    assert [kind for kind, _ in kinds("a/b/c")] == ["name", "punctuation", "name", "punctuation", "name"]
    assert kinds(r"x = /a[/]\/b/g")[-1] == ("regexp", r"/a[/]\/b/g")
    assert kinds("return /b/")[-1] == ("regexp", "/b/")
    assert kinds("(1) / 2 / 3").count(("punctuation", "/")) == 2


def test_a_template_is_text_around_expressions_which_may_have_braces_and_templates() -> None:
    assert kinds("`a${ {b: `${c}`} }d`") == [
        ("template", "`a${"), ("punctuation", "{"), ("name", "b"), ("punctuation", ":"), ("template", "`${"),
        ("name", "c"), ("template", "}`"), ("punctuation", "}"), ("template", "}d`"),
    ]


@pytest.mark.parametrize("text", ["'abc", '"a\\"', "`abc", "`a${b}c", "/* a", "/*/"])
def test_what_is_not_closed_is_open(text: str) -> None:
    assert tokens(text)[-1].open


@pytest.mark.parametrize("text", ["'abc'", '"a\\\\"', "`abc`", "`a${b}c`", "/* a */", "/**/", "// a"])
def test_what_is_closed_is_not_open(text: str) -> None:
    assert not tokens(text)[-1].open


@pytest.mark.parametrize(
    "text",
    [
        "1 + 1", "f(1)", "if (x) { y }", "a.new", "i++", "x = `${1}`", "// (", "'('", "/[(]/", "f(]", "}", "'abc", "",
        "  ", "return", "`a` /* b */",
    ],
)
def test_what_is_complete_is_run(text: str) -> None:
    assert is_complete(text)


@pytest.mark.parametrize(
    "text",
    [
        "f(", "[1,", "{", "`a", "`${", "`${a", "/* a", "a +", "x =>", "a.", "a?.", "x =", "new", "const", "await",
        "'a\\\n", "f(`)`", "cond ?", "a && // why",
    ],
)
def test_what_is_not_complete_goes_on(text: str) -> None:
    assert not is_complete(text)


def test_comments_and_blanks_are_not_significant() -> None:
    assert [token.kind for token in significant(tokens(" a /* b */ // c"))] == [Kind.NAME]
