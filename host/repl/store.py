"""What is kept of sessions between runs: their declarations and their history, in one SQLite file.

Rule 1: the file is its owner's alone: what is typed may be secret.
Rule 2: a session is replaced as a whole, in one transaction; of two REPLs with one session, the last to run wins.
"""
from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Generator, Iterable, Mapping

from goplugin.core.errors import ConfigError

from .bindings import Binding

__all__ = ["Store", "data_directory", "make_private"]

_VERSION = 1
_SCHEMA = """
CREATE TABLE binding (
    session TEXT NOT NULL,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    lexical INTEGER NOT NULL,
    source TEXT NOT NULL,
    PRIMARY KEY (session, name)
);
CREATE TABLE input (id INTEGER PRIMARY KEY, session TEXT NOT NULL, text TEXT NOT NULL);
CREATE INDEX input_session ON input (session);
"""
_PATIENCE_SECONDS = 5.0


class Store:
    """The sessions in the file at `path`, which is made if it does not exist. For one thread.

    Raises ConfigError for a file that is none of ours or cannot be used, here and in every method.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.path.abspath(os.path.expanduser(path))
        with self._complaints():
            make_private(self.path)
            self._connection = sqlite3.connect(self.path, timeout=_PATIENCE_SECONDS, isolation_level=None)
            try:
                self._set_up()
            except BaseException:
                self._connection.close()
                raise

    def close(self) -> None:
        self._connection.close()

    def bindings(self, session: str) -> list[Binding]:
        """What was declared, in that order."""
        query = "SELECT name, lexical, source FROM binding WHERE session = ? ORDER BY position"
        with self._complaints():
            rows = self._connection.execute(query, [session]).fetchall()
        return [Binding(name, bool(lexical), source) for name, lexical, source in rows]

    def save(self, session: str, bindings: Iterable[Binding]) -> None:
        """Keep these declarations, and no others."""
        rows = [(session, position, *binding) for position, binding in enumerate(bindings)]
        with self._complaints(), self._transaction():
            self._connection.execute("DELETE FROM binding WHERE session = ?", [session])
            self._connection.executemany("INSERT INTO binding VALUES (?, ?, ?, ?, ?)", rows)

    def history(self, session: str) -> list[str]:
        """What was typed, the oldest first."""
        with self._complaints():
            rows = self._connection.execute("SELECT text FROM input WHERE session = ? ORDER BY id", [session])
            return [text for (text,) in rows]

    def remember(self, session: str, text: str) -> None:
        """Add to the history."""
        with self._complaints():
            self._connection.execute("INSERT INTO input (session, text) VALUES (?, ?)", [session, text])

    def _set_up(self) -> None:
        with self._transaction():
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
            if version > _VERSION:
                raise ConfigError(f"{self.path} was written by a later version of the REPL")
            if version == 0:
                if self._connection.execute("SELECT 1 FROM sqlite_schema").fetchone():
                    raise ConfigError(f"{self.path} is a database of something else")
                for statement in _SCHEMA.split(";"):
                    self._connection.execute(statement)
                self._connection.execute(f"PRAGMA user_version = {_VERSION}")

    @contextlib.contextmanager
    def _transaction(self) -> Generator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    @contextlib.contextmanager
    def _complaints(self) -> Generator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise ConfigError(f"the session store {self.path} cannot be used: {error}") from error


def data_directory(environ: Mapping[str, str]) -> str:
    """Where a user's sessions and histories are, after the XDG base directory specification."""
    base = environ.get("XDG_DATA_HOME") or os.path.join(os.path.expanduser("~"), ".local", "share")
    return os.path.join(base, "goplugin")


def make_private(path: str) -> None:
    """Have a file there that only its owner reads; one that exists stays as it is. Raises OSError."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
