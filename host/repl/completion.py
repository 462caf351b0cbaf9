"""What may stand at the cursor: text, position and what is known in, completions out.

Rule 1: what a manifest tells comes with its documentation; where none does, the live objects are asked.
Rule 2: a beginning matches whatever its case is; what matches exactly comes first.
"""
from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from . import meta
from .scope import Node, Scope, chain_before
from .syntax import KEYWORDS, Kind, Token, significant, tokens

__all__ = ["Completion", "Known", "Keys", "completions"]

Keys = Callable[[Sequence[str]], "Sequence[tuple[str, bool]]"]
"""The properties of the live object that a chain of names leads to, and whether they are functions; of the global
object for no names at all. Empty for what is not there."""


class Completion(NamedTuple):
    """What to put in place of the text from `start` up to the cursor, and what to say of it."""

    text: str
    start: int
    label: str = ""
    summary: str = ""


class Known(NamedTuple):
    """What there is: the plugins' modules and who is named after them, other modules, live objects, files, topics."""

    scope: Scope
    natives: Sequence[str] = ()
    keys: Keys = lambda chain: ()
    files: Callable[[str], Iterable[str]] = lambda prefix: ()
    topics: Sequence[str] = ()


def completions(text: str, cursor: int, known: Known) -> list[Completion]:
    """All completions at `cursor`, the best first."""
    before = text[:cursor]
    if meta.is_meta(text):
        return list(_meta(before, known))
    return _javascript(before, known, start=0)


def _javascript(before: str, known: Known, *, start: int) -> list[Completion]:
    """Completions of code that begins at `start` of what is typed."""
    found = tokens(before)
    code = significant(found)
    if not found or found[-1].open or found[-1].kind in (Kind.COMMENT, Kind.TEMPLATE, Kind.NUMBER, Kind.STRING):
        return _modules(code, known, start) if found else []
    at_word = found[-1].kind in (Kind.NAME, Kind.KEYWORD, Kind.CONSTANT)
    word = found[-1].text if at_word else ""
    rest = code[:-1] if at_word else code
    place = start + len(before) - len(word)
    if rest and rest[-1].text in (".", "?."):
        chain = chain_before(rest[:-1])
        return [] if chain is None else _matching(word, place, _members(chain, before, known))
    return _matching(word, place, _globals(before[: len(before) - len(word)], known)) if word else []


def _modules(code: Sequence[Token], known: Known, start: int) -> list[Completion]:
    """The names of modules, inside of `require("`."""
    if len(code) < 3 or not code[-1].open or [token.text for token in code[-3:-1]] != ["require", "("]:
        return []
    quote, prefix = code[-1].text[0], code[-1].text[1:]
    if quote not in "\"'":
        return []
    names = [(name, node.label, node.summary) for name, node in known.scope.modules.items()]
    names += [(name, "module of the host", "") for name in known.natives]
    return _matching(prefix, start + code[-1].start + 1, names)


_Named = tuple[str, str, str]  # a name, its label and its summary


def _members(chain: Sequence[str], before: str, known: Known) -> Iterator[_Named]:
    scope = known.scope.copy()
    scope.learn(before)
    node = scope.find(chain)
    if node is not None:
        yield from _nodes(node.members.values())
    elif not chain[0].startswith("require("):
        for name, is_function in known.keys(chain):
            yield name, "function" if is_function else "", ""


def _nodes(nodes: Iterable[Node]) -> Iterator[_Named]:
    for node in nodes:
        yield node.name, node.label, node.summary


def _globals(before: str, known: Known) -> Iterator[_Named]:
    scope = known.scope.copy()
    scope.learn(before)
    for name, is_function in known.keys(()):
        node = scope.find([name])
        if node is not None:
            yield name, node.label, node.summary
        else:
            yield name, "function" if is_function else "", ""
    for name in _declared(before):
        yield name, "", ""
    for name in sorted(KEYWORDS):
        yield name, "keyword", ""


def _declared(before: str) -> Iterator[str]:
    """Names in what is typed that stand behind a word that declares them."""
    code = significant(tokens(before))
    for keyword, name in itertools.pairwise(code):
        if keyword.text in ("const", "let", "var", "function", "class") and name.kind is Kind.NAME:
            yield name.text


def _matching(prefix: str, start: int, names: Iterable[_Named]) -> list[Completion]:
    unique: dict[str, Completion] = {}
    for name, label, summary in names:
        if name.lower().startswith(prefix.lower()):
            unique.setdefault(name, Completion(name, start, label, summary))
    return sorted(unique.values(), key=lambda each: not each.text.startswith(prefix))


# --- meta commands ---------------------------------------------------------------------------------------------------


def _meta(before: str, known: Known) -> Iterator[Completion]:
    lead = len(before) - len(before.lstrip())
    name, blank, argument = before.lstrip().partition(" ")
    if not blank:
        yield from _matching(name, lead, ((f":{row.name}", row.usage, row.about) for row in meta.COMMANDS))
        return
    command = meta.find(name)
    if command is None:
        return
    argument = argument.lstrip()
    start = len(before) - len(argument)
    if command.name == "time":
        words = (("on", "", "say of each input how long it took"), ("off", "", "no longer"))
        yield from _matching(argument, start, words)
        yield from _javascript(argument, known, start=start)
    elif command.name == "load":
        yield from (Completion(file, start) for file in known.files(argument))
    elif command.name == "help":
        topics = ((topic, "page", "") for topic in known.topics)
        yield from _matching(argument, start, [*topics, *((row.name, "command", row.about) for row in meta.COMMANDS)])
    elif command.name == "doc":
        yield from _documented(argument, start, known)


def _documented(argument: str, start: int, known: Known) -> list[Completion]:
    """What `:doc` knows: modules by name, parts of them through the names that are theirs."""
    if "." in argument:
        return _javascript(argument, known, start=start)
    names = [*_nodes(known.scope.modules.values()), *_nodes_named(known)]
    return _matching(argument, start, [*names, *((topic, "page", "") for topic in known.topics)])


def _nodes_named(known: Known) -> Iterator[_Named]:
    for name, node in known.scope.names():
        yield name, node.label, node.summary
