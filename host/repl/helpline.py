"""The help line: what the function at the cursor is for, and which of its arguments is being typed."""
from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from . import meta
from .scope import Node, Scope, chain_before
from .syntax import Kind, Token, significant, tokens

__all__ = ["Help", "help_at"]

_OPENING, _CLOSING = ("(", "[", "{"), (")", "]", "}")


class Help(NamedTuple):
    """What to show: `name`, the parameters behind it with the one at the cursor, the result, and a line about it.

    `parameters` is None for what is no function, `active` the index of the parameter, or None.
    """

    name: str
    parameters: tuple[str, ...] | None = None
    active: int | None = None
    result: str = ""
    summary: str = ""

    def __str__(self) -> str:
        parts = [self.name]
        if self.parameters is not None:
            parts.append(f"({', '.join(self.parameters)})")
        if self.result:
            parts.append(f": {self.result}")
        return "".join(parts) + (f"  {self.summary}" if self.summary else "")


def help_at(text: str, cursor: int, scope: Scope) -> Help | None:
    """Help on what `cursor` stands on or behind, else on the innermost call that it is in; None if nothing is known."""
    if meta.is_meta(text):
        return _meta_help(text)
    code = significant(tokens(text))
    known = scope.copy()
    known.learn(text)
    here = [token for token in code if token.start < cursor]
    if here and here[-1].kind is Kind.NAME and cursor <= here[-1].end:
        found = _chain_help(here, known)
        if found is not None:
            return found
    if here and here[-1].kind is Kind.STRING:
        found = _module_help(code, len(here) - 1, known)
        if found is not None:
            return found
    for position, argument in reversed(_open_calls(here)):
        found = _chain_help(here[:position], known, argument)
        if found is not None:
            return found
    return None


def _meta_help(text: str) -> Help | None:
    command = meta.find(text.split(maxsplit=1)[0])
    return Help(f":{command.name} {command.usage}".rstrip(), summary=command.about) if command else None


def _chain_help(code: Sequence[Token], scope: Scope, argument: int | None = None) -> Help | None:
    chain = chain_before(code)
    node = scope.find(chain) if chain else None
    return _help_on(".".join(chain), node, argument) if chain and node else None


def _help_on(name: str, node: Node, argument: int | None) -> Help:
    if node.signature is None:
        return Help(name, summary=node.summary or node.label)
    if not node.signature.known:
        return Help(name, ("…",), summary=node.summary)
    parameters = node.signature.parameters
    if argument is not None and parameters:
        rest = parameters[-1].startswith("...")
        argument = min(argument, len(parameters) - 1) if rest or argument < len(parameters) else None
    elif argument is not None:
        argument = None
    return Help(name, parameters, argument, node.signature.result, node.summary)


def _module_help(code: Sequence[Token], position: int, scope: Scope) -> Help | None:
    """On the module named in `require("...")`."""
    node = scope.modules.get(code[position].text.strip("\"'"))
    if node is None or position < 2 or code[position - 2].text != "require":
        return None
    return Help(node.name, summary=node.summary)


def _open_calls(code: Sequence[Token]) -> list[tuple[int, int]]:
    """The brackets that are open at the end of `code`, which may be calls: where they stand, and commas behind."""
    stack: list[list[int]] = []
    for position, token in enumerate(code):
        if token.kind is Kind.PUNCTUATION and token.text in _OPENING:
            stack.append([position, 0])
        elif token.kind is Kind.PUNCTUATION and token.text in _CLOSING and stack:
            stack.pop()
        elif token.text == "," and stack:
            stack[-1][1] += 1
    return [(position, commas) for position, commas in stack if code[position].text == "("]
