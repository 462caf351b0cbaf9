"""What writes documents, and what sees that they are up to date."""
from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scripts import generated
from scripts.generated import write_or_check


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(generated, "ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text("old")
    return page


def run(monkeypatch: pytest.MonkeyPatch, documents: dict[Path, str], *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["pages.py", *arguments])
    return write_or_check("pages.py", documents)


def test_documents_are_written(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = page.with_name("other.md")

    assert run(monkeypatch, {page: "new", other: "other"}) == 0
    assert (page.read_text(), other.read_text()) == ("new", "other")


def test_a_check_writes_nothing_and_names_what_is_out_of_date(
    page: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, {page: "new"}, "--check") == 1
    assert page.read_text() == "old"
    assert capsys.readouterr().err == "error: page.md is out of date; run scripts/pages.py\n"


def test_a_check_of_what_is_up_to_date_says_nothing(
    page: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, {page: "old"}, "--check") == 0
    assert capsys.readouterr().err == ""
