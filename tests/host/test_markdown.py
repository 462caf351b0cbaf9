from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.markdown import render, table_rows
from host.terminal import Paint


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def colours(monkeypatch: pytest.MonkeyPatch) -> Paint:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    return Paint(Terminal())


PLAIN = Paint(io.StringIO())

PAGE = """\
# Title

A paragraph that is
broken somewhere else than here, with `code` and **strong words** and a [link](to-somewhere).

- one item that takes more than a line
  of text
2. another

```sh
python -m host     # stays as it is, however long the line may be
```

| what | why |
|---|---|
| `a long error text` | because |
| b \\| c | no |
"""


def test_a_page_is_wrapped_and_code_is_not() -> None:
    assert render(PAGE, PLAIN, 40) == """\
TITLE

A paragraph that is broken somewhere
else than here, with `code` and
strong words and a
link.

• one item that takes more than a line
  of text
2. another

    python -m host     # stays as it is, however long the line may be

what                 why
───────────────────  ───────
`a long error text`  because
b | c                no
"""


def test_on_a_terminal_code_has_a_colour_in_place_of_its_quotes(colours: Paint) -> None:
    text = render("Use `code` **now**.\n", colours, 40)

    assert text == "Use \x1b[32mcode\x1b[0m \x1b[1mnow\x1b[0m.\n"


def test_columns_are_aligned_whatever_is_painted(colours: Paint) -> None:
    lines = render("| a | b |\n|---|---|\n| `x` | 1 |\n| yyyyyy | 2 |\n", colours, 40).splitlines()

    assert lines[2:] == ["\x1b[32mx\x1b[0m       1", "yyyyyy  2"]


def test_a_table_that_is_too_wide_wraps_its_cells_and_code_in_them() -> None:
    source = (
        "| text | why |\n|---|---|\n| `plugin candidate is not executable` | a reason that is long, too |\n| x | y |\n"
    )

    assert render(source, PLAIN, 40) == """\
text                 why
───────────────────  ───────────────────
`plugin candidate`   a reason that is
`is not`             long, too
`executable`

x                    y
"""


def test_the_rows_below_a_heading_can_be_had() -> None:
    source = f"# Other\n| x |\n|---|\n| no |\n\n{PAGE}"

    assert table_rows(source, "Title") == [("`a long error text`", "because"), ("b | c", "no")]


@given(st.text(alphabet="ab `*[]()|-#\n\\", max_size=60))
def test_any_text_is_shown_somehow(source: str) -> None:
    source = source.replace("```", "")

    assert render(source, PLAIN, 20).endswith("\n")
