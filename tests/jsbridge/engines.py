"""Which tests of the bridge are not for Duktape. docs/javascript-engines.md says what it has not.

A test says so itself by what stands in it or in its parameters: one that awaits is about promises. LACKING has the
words, and OTHERS the few tests that fail there for another reason.
"""
from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

__all__ = ["skip_on_duktape"]

DIRECTORY = Path(__file__).parent

LACKING = {
    "promises": r"\bawait\b|\basync\b|Promise|[mM]icrotask|\bAbort\w*\b",
    "BigInt": r"\b\d+n\b|BigInt|bigint",
    "collections": r"\b(?:Weak)?(?:Map|Set)\(|WeakRef|FinalizationRegistry|extends Map",
    "iterators": r"function\*|\.values\(\)|matchAll|\bimport\(",
    "arrays": r"SharedArrayBuffer|Float16Array|subarray\(2, 5\)\.buffer|\.fill\(|Array\.from|extends Uint8Array",
    "later syntax": r"\{ x = |\(class |class Custom|name = 'Custom'|\.\.\.\[|Symbol\('s'\)|\['__proto__'\]",
    "let as it is": r"\{ let x = 1 \}|for \(let x|'use strict'; let x|let\n/\*|const x = 1\"\)|let x = null",
    "named groups": r"match\(/b/\)",
    "proxies that are looked through": r"new Proxy\((?:new|\{\}, \{getPro)",
    "columns in stacks": r":\d+:(?:\d|\"|\)|$)",
    "a thousand levels": r"thousand_levels|deepest",
    "a limit of the heap": r"full_heap",
    "signals while a script runs": r"for \(;;\) \{\}",
}
OTHERS = {
    "test_any_value_comes_back_as_it_went": "the shortest text for some numbers",
}


def skip_on_duktape(items: Iterable[pytest.Item]) -> None:
    """Mark the tests of this directory that are not for Duktape."""
    for item in items:
        # test_language.py says itself what each engine can do.
        elsewhere = DIRECTORY not in item.path.parents or item.path.name == "test_language.py"
        if not elsewhere and (reason := missing(item)) is not None:
            item.add_marker(pytest.mark.skip(reason=f"Duktape lacks {reason}"))


def missing(item: pytest.Item) -> str | None:
    """What the test needs and Duktape has not; None if there is nothing of the kind."""
    name = item.name.partition("[")[0]
    parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    text = "\n".join([item.name, *map(str, parameters.values()), body_of(item)])
    return next((reason for reason, words in LACKING.items() if re.search(words, text)), OTHERS.get(name))


def body_of(item: pytest.Item) -> str:
    """The source of the test's function, without the parameters of its other rows."""
    source = inspect.getsource(item.obj) if isinstance(item, pytest.Function) else ""
    return source[source.find("def ") :]
