from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from goplugin.core.errors import ConfigError
from host.repl.bindings import Binding
from host.repl.store import Store, data_directory
from tests.support import requirement

A, B = Binding("a", True, "1"), Binding("b", False, "x => 'é\u2028'")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "sessions.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    made = Store(path)
    yield made
    made.close()


@requirement("jm.repl.profile")
def test_declarations_and_history_are_there_again(store: Store, path: Path) -> None:
    store.save("one", [B, A])
    store.remember("one", "1 + 1")
    store.remember("one", "2\n+ 2")
    store.close()

    again = Store(path)
    assert again.bindings("one") == [B, A]
    assert again.history("one") == ["1 + 1", "2\n+ 2"]
    again.close()


def test_sessions_do_not_know_of_each_other(store: Store) -> None:
    store.save("one", [A])
    store.remember("one", "x")

    assert store.bindings("two") == store.history("two") == []


def test_a_session_is_replaced_as_a_whole(store: Store) -> None:
    store.save("one", [A, B])
    store.save("one", [B])
    with pytest.raises(ConfigError):
        store.save("one", [A, A])

    assert store.bindings("one") == [B]


def test_the_file_is_its_owners_alone(store: Store, path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_two_can_have_it_open(store: Store, path: Path) -> None:
    other = Store(path)
    other.save("one", [A])
    other.close()

    assert store.bindings("one") == [A]


def test_other_files_are_refused(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("no database " * 100)
    with pytest.raises(ConfigError, match="cannot be used: file is not a database"):
        Store(text)
    with pytest.raises(ConfigError, match="cannot be used"):
        Store(text / "below")
    _database(tmp_path / "other", "CREATE TABLE x (y)")
    with pytest.raises(ConfigError, match="is a database of something else"):
        Store(tmp_path / "other")
    _database(tmp_path / "later", "PRAGMA user_version = 2")
    with pytest.raises(ConfigError, match="by a later version"):
        Store(tmp_path / "later")


def _database(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


def test_the_directory_follows_the_xdg_specification() -> None:
    assert data_directory({"XDG_DATA_HOME": "/data"}) == "/data/goplugin"
    assert data_directory({}).endswith("/.local/share/goplugin")
