"""`help [TOPIC|VERB]`: pages to read; host/help has them."""
from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ..arguments import verb_parser
from ..errors import NotFoundError
from ..help import page, title, topics
from ..markdown import render
from ..render import json_text, table
from ..terminal import Paint, width
from ..verb_table import find, load
from .base import Verb

if TYPE_CHECKING:
    from argparse import ArgumentParser

__all__ = ["Help"]

_HOW = "`python -m host help TOPIC` shows one, `python -m host -h` the verbs."


class Help(Verb):
    topic: str | None

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("topic", metavar="TOPIC|VERB", nargs="?", help="without it, the topics are listed")

    def run(self) -> None:
        if self.topic is None:
            self._list()
        elif self.topic in topics():
            self._show(self.topic)
        else:
            self._explain_verb(self.topic)

    def _list(self) -> None:
        found = {topic: title(page(topic)) for topic in topics()}
        if self.settings.json:
            print(json_text([{"topic": topic, "title": text} for topic, text in found.items()]))
        else:
            print(f"{table(list(found.items()))}\n\n{_HOW}")

    def _show(self, topic: str) -> None:
        source = page(topic)
        if self.settings.json:
            print(json_text({"topic": topic, "title": title(source), "markdown": source}))
        else:
            print(render(source, Paint(sys.stdout), width()), end="")

    def _explain_verb(self, name: str) -> None:
        from difflib import get_close_matches

        row = find(name)
        if row is not None:
            print(verb_parser(row, load(row)).format_help(), end="")
            return
        error = NotFoundError(f"there is no help on {name!r}")
        near = get_close_matches(name, topics(), 1)
        error.add_note(f"hint: is it `{near[0]}`?" if near else f"hint: there are {', '.join(topics())}")
        raise error
