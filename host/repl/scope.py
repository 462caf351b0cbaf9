"""What names stand for, as far as the manifests of plugins can tell.

A name stands for a module, or for a part of one, once it has been given `require("plugin:...")` or a part of what
another such name stands for. That is read from what is typed, so that it is known before anything runs.
Source: go-go-goja pkg/repl evaluator, whose aliases are those of const, let and var.
"""
from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..declarations import Signature, signature_of
from .syntax import Kind, Token, significant, tokens

if TYPE_CHECKING:
    from jsbridge.contract import ExportSpec, MethodSpec, ModuleManifest

__all__ = ["Node", "Scope", "chain_before", "required"]

_REQUIRE = re.compile(r"""require\((["'])([^"'\\\n]*)\1\)""")
_DOTS = (".", "?.")
_ENDS = (";", ",", ")", "}")


class Node(NamedTuple):
    """A module, an export, a method: what is said of it in a line, how it is called, and what it has.

    `label` says what it is, `id` what the docs hub knows it by. `signature` is None for what is no function.
    """

    name: str
    label: str
    id: str
    summary: str = ""
    signature: Signature | None = None
    members: Mapping[str, Node] = {}


class Scope:
    """The modules of a runtime, and the names that stand for parts of them.

    `copy` gives one that may learn from a text that has not been run.
    """

    def __init__(self, manifests: Iterable[ModuleManifest] = (), aliases: Mapping[str, Node] | None = None) -> None:
        self.modules = {manifest.module_name: _module(manifest) for manifest in manifests}
        self._aliases = dict(aliases or {})

    def copy(self) -> Scope:
        other = Scope(aliases=self._aliases)
        other.modules = self.modules
        return other

    def adopt(self, other: Scope) -> None:
        """Take over the names of another runtime's scope, for what is still there."""
        for name, node in other.names():
            module, _, path = node.id.partition("/")
            self._name(name, self.find([f'require("{module}")', *filter(None, path.split("."))]))

    def learn(self, text: str) -> None:
        """Follow the assignments of `text`."""
        code = significant(tokens(text))
        for position, token in enumerate(code):
            if token.text != "=" or position == 0:
                continue
            node = self._assigned(code, position + 1, text)
            target = code[position - 1]
            if target.text == "}":
                self._destructure(code, position - 1, node)
            elif _is_word(target) and not _follows_dot(code, position - 1):
                self._name(target.text, node)

    def find(self, chain: Sequence[str]) -> Node | None:
        """What `chain` leads to, whose first part is a name, or a module as `required` has it."""
        head, *parts = chain
        module = required(head)
        node = self._aliases.get(head) if module is None else self.modules.get(module)
        for part in parts:
            node = node.members.get(part) if node is not None else None
        return node

    def names(self) -> Iterator[tuple[str, Node]]:
        """The names that stand for something, with what that is."""
        yield from self._aliases.items()

    def _assigned(self, code: Sequence[Token], start: int, text: str) -> Node | None:
        """What stands behind an equals sign; None if it is more than a chain of names."""
        chain, end = _chain_at(code, start)
        if not chain:
            return None
        if end < len(code) and code[end].text not in _ENDS and "\n" not in text[code[end - 1].end : code[end].start]:
            return None
        return self.find(chain)

    def _destructure(self, code: Sequence[Token], end: int, node: Node | None) -> None:
        """`{ a, b: c } = node`; what is nested stands for nothing."""
        start = next((index for index in range(end, -1, -1) if code[index].text == "{"), end)
        entry: list[str] = []
        for token in code[start + 1 : end + 1]:
            if token.text not in (",", "}"):
                entry.append(token.text)
            elif entry:
                member = node.members.get(entry[0]) if node is not None else None
                self._name(entry[2] if len(entry) > 2 and entry[1] == ":" else entry[0], member)
                entry = []

    def _name(self, name: str, node: Node | None) -> None:
        if node is None:
            self._aliases.pop(name, None)
        else:
            self._aliases[name] = node


def chain_before(code: Sequence[Token]) -> list[str] | None:
    """The names, with dots between, that `code` ends with: `a.b` of `f(a.b`; None if what they begin with is no name.

    A chain may begin with `require("...")`, which is one part of it.
    """
    chain: list[str] = []
    position = len(code) - 1
    while position >= 0:
        token = code[position]
        if token.text == ")":
            call = "".join(part.text for part in code[max(position - 3, 0) : position + 1])
            return [call, *chain] if required(call) is not None else None
        if not _is_word(token):
            return None
        chain.insert(0, token.text)
        if not _follows_dot(code, position):
            return chain
        position -= 2
    return None


def required(call: str) -> str | None:
    """The module of `require("MODULE")`; None for anything else, and for a name with escapes in it."""
    match = _REQUIRE.fullmatch(call)
    return match[2] if match is not None else None


def _chain_at(code: Sequence[Token], start: int) -> tuple[list[str], int]:
    """The chain that begins at `start`, and the number of the token behind it."""
    call = "".join(token.text for token in code[start : start + 4])
    if required(call) is not None:
        chain, end = [call], start + 4
    elif start < len(code) and _is_word(code[start]):
        chain, end = [code[start].text], start + 1
    else:
        return [], start
    while end + 1 < len(code) and code[end].text in _DOTS and _is_word(code[end + 1]):
        chain.append(code[end + 1].text)
        end += 2
    return chain, end


def _is_word(token: Token) -> bool:
    return token.kind in (Kind.NAME, Kind.KEYWORD, Kind.CONSTANT)


def _follows_dot(code: Sequence[Token], position: int) -> bool:
    return position > 0 and code[position - 1].text in _DOTS


# --- manifests as nodes ----------------------------------------------------------------------------------------------


def _module(manifest: ModuleManifest) -> Node:
    members = {export.name: _export(manifest, export) for export in manifest.exports}
    name = manifest.module_name
    return Node(name, "plugin module", name, _line(manifest.doc), members=members)


def _export(manifest: ModuleManifest, export: ExportSpec) -> Node:
    node = Node(export.name, "plugin export", f"{manifest.module_name}/{export.name}", _line(export.doc))
    if not export.method_specs:
        return _function(node, signature_of(manifest, export))
    members = {method.name: _method(manifest, export, method, node.id) for method in export.method_specs}
    return node._replace(members=members)


def _method(manifest: ModuleManifest, export: ExportSpec, method: MethodSpec, export_id: str) -> Node:
    summary = _line(method.summary) or _line(method.doc)
    node = Node(method.name, "plugin method", f"{export_id}.{method.name}", summary)
    return _function(node, signature_of(manifest, export, method))


def _function(node: Node, signature: Signature) -> Node:
    """`node` as a function, with what the engine gives each."""
    promise = signature._replace(result=f"Promise<{signature.result}>")
    twin = Node("async", "asynchronous twin", node.id, f"{node.summary} (a Promise)".strip(), promise)
    options = Signature(("options: { timeout?: number, signal?: AbortSignal }",), "function", known=True)
    summary = f"{node.name} with a time limit in ms, or a signal that ends it"
    made = Node("with", "options of a call", node.id, summary, options)
    return node._replace(signature=signature, members={"async": twin, "with": made})


def _line(doc: str) -> str:
    """The first line of `doc` that is more than a signature."""
    lines: Iterator[str] = (line.strip() for line in doc.splitlines())
    return next((line for line in lines if line and not line.endswith(")") and ") ->" not in line), "")
