"""An engine as a REPL uses it: inputs in, texts out, and what is alive in it.

Rule 1: an input is run behind a line of its own, which for an expression begins `_ = (`; so lines are one too high in
every stack trace, and made right here.
Rule 2: what an engine loses when it is cut off is noticed at the next input.
"""
from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from goplugin.core.errors import PluginError

from .bindings import Binding, Captured, Unkept, parse
from .syntax import Kind, Token, significant, tokens

if TYPE_CHECKING:
    from jsbridge.engine import Engine

__all__ = ["LAST", "Evaluator", "is_expression_like", "own_lines"]

LAST = "_"
"""The name of the last result."""

_FRAME = re.compile(r"^( *at (?:.* \()?<eval>:)(\d+)", re.MULTILINE)
_DECLARING = ("function", "class", "let", "const", "var", "import", "export", "return", "throw", "if", "for", "while")
_ASSIGNING = ("=", "const", "let", "var", "function", "class")


class Evaluator:
    """Runs inputs in `engine`; `keeps_last` says whether `_` is the last result, and `{...}` an object."""

    def __init__(self, engine: Engine, *, keeps_last: bool = True) -> None:
        self._engine = engine
        self._keeps_last = keeps_last
        self._prepared = False

    def run(self, code: str) -> str:
        """The result of `code` as text, empty for undefined. Raises JSError, and what ends a run early."""
        self.prepare()
        if self._keeps_last and _assigns_last(code):
            self._keeps_last = False  # from now on the name is the user's
        expression = self._expression(code) if self._keeps_last else None
        if expression is not None:
            return self._engine.eval_text(f"{LAST} = (\n{expression}\n)")
        return self._engine.eval_text(f"\n{code}")

    def prepare(self) -> bool:
        """Have the probe in the engine; False if it was gone, and with it all that had been declared."""
        if self._engine.eval("typeof $repl === 'object'"):
            return True
        self._engine.eval(_probe())
        lost, self._prepared = self._prepared, True
        return not lost

    def keys(self, chain: Sequence[str]) -> Sequence[tuple[str, bool]]:
        """The properties of what `chain` leads to, and whether they are functions; empty if nothing is known."""
        try:
            found = self._ask("keys", list(chain))
        except PluginError:  # somebody tampers with what the probe needs; completion can do without
            return ()
        return [(name, is_function) for name, is_function in json.loads(found)] if isinstance(found, str) else ()

    def capture(self, modules: Iterable[str]) -> Captured:
        """What has been declared; what comes from one of `modules` is required again. Raises JSError."""
        self.prepare()
        own = frozenset({LAST} if self._keeps_last else ())
        return parse(cast("str", self._ask("bindings", list(modules))), without=own)

    def restore(self, bindings: Iterable[Binding]) -> list[Unkept]:
        """Declare them again; what could not be, and why."""
        self.prepare()
        failed: list[Unkept] = []
        for binding in bindings:
            try:
                self._engine.eval(f"{binding.statement}void 0")
            except PluginError as error:
                failed.append(Unkept(binding.name, str(error).partition("\n")[0]))
        return failed

    def _expression(self, code: str) -> str | None:
        """`code` without a semicolon at its end if it is an expression, else None."""
        code = code.rstrip()
        if not is_expression_like(code):
            return None
        code = code.rstrip("; \t\n") or code
        is_async = any(token.text == "await" for token in tokens(code))
        return code if self._ask("isExpression", code, is_async) else None

    def _ask(self, function: str, *arguments: object) -> object:
        return self._engine.eval(f"$repl.{function}({', '.join(map(json.dumps, arguments))})")


def own_lines(text: str) -> str:
    """`text`, with the lines in stack traces as the user has typed them (rule 1)."""
    return _FRAME.sub(lambda match: f"{match[1]}{max(int(match[2]) - 1, 1)}", text)


def is_expression_like(code: str) -> bool:
    """Whether `code` may be an expression: its brackets fit, and it does not begin as a declaration does.

    As in Node, `{...}` is an object, and `{...};` a block.
    """
    found = significant(tokens(code))
    if not found or found[0].text in _DECLARING or (found[0].text == "{" and found[-1].text == ";"):
        return False
    if [token.text for token in found[:2]] == ["async", "function"]:
        return False
    depth = 0
    for token in found:
        if token.kind is Kind.PUNCTUATION:
            depth += (token.text in "([{") - (token.text in ")]}")
        if depth < 0:
            return False
    return True


def _assigns_last(code: str) -> bool:
    """Whether the code gives `_` a meaning of its own."""
    found = significant(tokens(code))
    return any(
        token.text == LAST and token.kind is Kind.NAME and _is_assigned(found, position)
        for position, token in enumerate(found)
    )


def _is_assigned(found: Sequence[Token], position: int) -> bool:
    before = found[position - 1].text if position else ""
    behind = found[position + 1].text if position + 1 < len(found) else ""
    return before in _ASSIGNING[1:] or (behind == "=" and before not in (".", "?."))


@functools.cache
def _probe() -> str:
    return Path(__file__).with_name("probe.js").read_text("utf-8")
