"""A module's manifest as TypeScript declarations, and its functions as signatures for people.

Rule 1: a manifest has no types. Where a function's documentation shows its signature on a line of its own, in the
words of Python or of TypeScript, it is read from there: `get(key: str, fallback: str | None = None) -> str | None`.
What is not said, or not understood, is `any`.
Rule 2: what is written is valid TypeScript whatever the names and the documentation are.
Rule 3: every function has what the engine gives it: its asynchronous twin `.async`, and `.with` for options of a call.
"""
from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from jsbridge.binary import returns_bytes
from jsbridge.contract import ExportSpec, MethodSpec, ModuleManifest

__all__ = ["Signature", "declarations", "signature", "signature_of"]


_CALL = """\
type Call<A extends any[], R> = {
  (...args: A): R;
  async(...args: A): Promise<R>;
  with(options: { timeout?: number; signal?: { readonly aborted: boolean } }): Call<A, R>;
};""".splitlines()


class Signature(NamedTuple):
    """Parameters as `name: type` of TypeScript, and the type of the result. `known` if the documentation says so."""

    parameters: tuple[str, ...] = ("...args: any[]",)
    result: str = "any"
    known: bool = False

    def __str__(self) -> str:
        return f"({', '.join(self.parameters)}): {self.result}"


def declarations(manifest: ModuleManifest) -> str:
    """What a `.d.ts` file has to say about the module."""
    body = [line for export in manifest.exports for line in _export_lines(export, manifest)]
    version = f" {' '.join(manifest.version.split())}" if manifest.version.strip() else ""
    return "\n".join([
        f"// {' '.join(manifest.module_name.split())}{version}: written by `python -m host dts`",
        *_comment(manifest.doc, ""),
        f"declare module {json.dumps(manifest.module_name)} {{",
        *(f"  {line}" for line in _CALL),
        "  const module: {",
        *(f"    {line}".rstrip() for line in body),
        "  };",
        "  export = module;",
        "}",
    ]) + "\n"


def signature_of(manifest: ModuleManifest, export: ExportSpec, method: MethodSpec | None = None) -> Signature:
    """The signature of a function of the module; `method` is None for an export that is one."""
    spec = export if method is None else method
    found = signature(spec.name, spec.doc)
    if not found.known and returns_bytes(manifest.capabilities, export.name, "" if method is None else method.name):
        return found._replace(result="Uint8Array")
    return found


def signature(name: str, doc: str) -> Signature:
    """The signature that `doc` shows of the function `name`."""
    pattern = re.compile(rf"\W*(?:[\w$]+\.)*{re.escape(name)}\((.*)\)(?:\s*(?:->|=>|:)\s*([^`]+?))?`?\.?\s*")
    for line in doc.splitlines():
        match = pattern.fullmatch(line)
        if match is not None:
            parameters = [_parameter(text) for text in _split(match[1], ",")]
            result = _type(match[2]) if match[2] else "any"
            return Signature(tuple(_optional_last(parameters)), result, known=True)
    return Signature()


# --- lines of the declarations ---------------------------------------------------------------------------------------


def _export_lines(export: ExportSpec, manifest: ModuleManifest) -> Iterator[str]:
    yield from _comment(export.doc, "")
    if not export.method_specs:
        yield f"{_key(export.name)}: {_function(signature_of(manifest, export))};"
        return
    yield f"{_key(export.name)}: {{"
    for method in export.method_specs:
        yield from (f"  {line}" for line in _comment(method.doc or method.summary, _tags(method.tags)))
        yield f"  {_key(method.name)}: {_function(signature_of(manifest, export, method))};"
    yield "};"


def _function(signature: Signature) -> str:
    return f"Call<[{', '.join(signature.parameters)}], {signature.result}>"


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_$][\w$]*", name, re.ASCII) else json.dumps(name)


def _tags(tags: Sequence[str]) -> str:
    return f"Tags: {', '.join(tags)}" if tags else ""


def _comment(doc: str, more: str) -> Iterator[str]:
    lines = [*doc.splitlines(), *([""] if doc and more else []), *([more] if more else [])]
    safe = [line.replace("*/", "*\\/").rstrip() for line in lines]
    if len(safe) == 1:
        yield f"/** {safe[0]} */"
    elif safe:
        yield "/**"
        yield from (f" * {line}".rstrip() for line in safe)
        yield " */"


# --- types -----------------------------------------------------------------------------------------------------------

_NAMES = {
    "str": "string", "string": "string", "float": "number", "int": "number", "number": "number", "bool": "boolean",
    "boolean": "boolean", "None": "null", "null": "null", "undefined": "undefined", "void": "void", "any": "any",
    "Any": "any", "object": "any", "unknown": "unknown", "bytes": "Uint8Array", "Uint8Array": "Uint8Array",
    "Date": "Date",
}
_LISTS = ("list", "List", "Sequence", "Array", "Iterable", "tuple")
_RECORDS = ("dict", "Dict", "Mapping", "Record", "object")


def _parameter(text: str) -> tuple[str, bool]:
    """A parameter of a tuple type, `name: type`, and whether it may be left out."""
    head, equals, _ = _cut(text, "=")
    name, colon, annotation = _cut(head, ":")
    rest = name.startswith(("*", "..."))
    name = name.strip("*. ")
    optional = bool(equals) or name.endswith("?")
    name = name.rstrip("? ")
    if not re.fullmatch(r"[A-Za-z_$][\w$]*", name, re.ASCII):
        name = "argument"
    kind = _type(annotation) if colon else "any"
    if rest:
        return f"...{name}: {kind if kind.endswith('[]') else _array(kind)}", True
    return f"{name}{'?' if optional else ''}: {kind}", optional


def _optional_last(parameters: Sequence[tuple[str, bool]]) -> Iterator[str]:
    """The parameters; what stands before one that is needed cannot be left out in a call."""
    needed = max((number for number, (_, optional) in enumerate(parameters) if not optional), default=-1)
    for number, (text, optional) in enumerate(parameters):
        yield text.replace("?:", ":", 1) if optional and number < needed else text


def _type(text: str) -> str:
    """The TypeScript type that `text` means, `any` for what it does not know."""
    options = [_atom(part) for part in _split(text, "|")]
    unique = list(dict.fromkeys(options))
    return "any" if not unique or "any" in unique else " | ".join(unique)


def _atom(text: str) -> str:
    text = text.strip().strip("\"'" if text.strip().count(" ") else "")
    if text in _NAMES:
        return _NAMES[text]
    if text.endswith("[]"):
        return _array(_type(text[:-2].strip().removeprefix("(").removesuffix(")")))
    generic = re.fullmatch(r"(\w+)[\[<](.*)[\]>]", text, re.DOTALL)
    if generic is None:
        return {"list": "any[]", "dict": "Record<string, any>"}.get(text, "any")
    name, arguments = generic[1], _split(generic[2], ",")
    if name in _LISTS and arguments:
        return _array(_type(arguments[0]))
    if name in _RECORDS and len(arguments) == 2:
        return f"Record<string, {_type(arguments[1])}>"
    if name == "Optional" and arguments:
        return _type(f"{arguments[0]} | None")
    if name == "Union":
        return _type(" | ".join(arguments))
    return "any"


def _array(item: str) -> str:
    return f"({item})[]" if " | " in item else f"{item}[]"


def _cut(text: str, separator: str) -> tuple[str, str, str]:
    """`str.partition`, but for separators inside of brackets and quotes."""
    parts = _split(text, separator, most=1)
    return (parts[0], separator, parts[1]) if len(parts) == 2 else (text.strip(), "", "")


def _split(text: str, separator: str, most: int = -1) -> list[str]:
    """`text` at its separators, those inside of brackets and quotes left alone; without blanks, and empty parts."""
    parts, depth, quote = [""], 0, ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter in "[(<{":
            depth += 1
        elif letter in "])>}":
            depth -= 1
        elif letter == separator and depth == 0 and most:
            parts.append("")
            most -= 1
            continue
        parts[-1] += letter
    return [part.strip() for part in parts if part.strip()]
