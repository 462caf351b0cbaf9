"""The REPL without a terminal: what stdin has is run as if it were typed, and results are printed without colours."""
from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from . import meta, styled
from .session import Session
from .styled import Styled
from .syntax import is_complete

__all__ = ["PlainScreen", "inputs", "run"]


class PlainScreen:
    """Results on stdout, everything said about them on stderr."""

    def show(self, text: Styled) -> None:
        sys.stdout.write(f"{styled.plain(text)}\n")  # in one piece even where nothing is buffered

    def complain(self, text: Styled) -> None:
        sys.stderr.write(f"{styled.plain(text)}\n")


def run(session: Session, lines: Iterable[str]) -> int:
    """Run each input in turn, whatever becomes of the others; 1 if any of them failed."""
    code = 0
    try:
        for text in inputs(lines):
            if not session.run(text):
                code = 1
    except meta.Leave:
        pass
    return code


def inputs(lines: Iterable[str]) -> Iterator[str]:
    """The lines put together to inputs that are complete; the last may not be."""
    pending = ""
    for line in lines:
        pending += line
        if is_complete(pending) or meta.is_meta(pending):
            if pending.strip():
                yield pending.rstrip("\n")
            pending = ""
    if pending.strip():
        yield pending.rstrip("\n")
