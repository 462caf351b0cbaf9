"""What the commands of meta.py do in a session."""
from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..errors import NotFoundError
from ..help import page, title, topics
from ..markdown import render
from ..terminal import Paint, width
from . import meta, styled
from .scope import Node
from .styled import Styled

if TYPE_CHECKING:
    from jsbridge.dochub import Entry

    from .session import Session

__all__ = ["perform"]

_KEYS = (
    ("Tab", "completes; so does going on to type behind a dot"),
    ("Enter", "runs what is complete, and goes on to the next line in what is not; Alt-Enter always goes on"),
    ("Up, Down, Ctrl-R", "go through the history, and search it"),
    ("Right", "takes the rest of a line of the history, where one is offered"),
    ("Ctrl-C", "ends what runs, or drops what is typed; the plugins stay"),
    ("Ctrl-D", "leaves"),
)
_MOST_FOUND = 12


def perform(session: Session, asked: meta.Meta) -> None:
    """Do what the command says. Raises what the session and its runtime do, NotFoundError, and Leave."""
    argument = asked.argument
    match asked.command.name:
        case "help":
            session.screen.show(_help_on(argument) if argument else _overview())
        case "modules":
            session.screen.show(_modules(session))
        case "doc":
            session.screen.show(_doc(session, argument))
        case "plugins":
            session.screen.show(_plugins(session))
        case "load":
            session.load(argument)
        case "reload":
            session.reload()
        case "time":
            _time(session, argument)
        case _:
            raise meta.Leave


def _time(session: Session, argument: str) -> None:
    if argument and argument not in ("on", "off"):
        session.evaluate(argument, timed=True)
        return
    if argument:
        session.timing = argument == "on"
    session.screen.show([("note", f"timing is {'on' if session.timing else 'off'}")])


def _overview() -> Styled:
    rows = [(f":{row.name} {row.usage}".rstrip(), row.about) for row in meta.COMMANDS]
    pages = [(topic, title(page(topic))) for topic in topics()]
    out: Styled = []
    for head, part in (("commands", rows), ("keys", _KEYS), ("topics", pages)):
        out += [("note", f"{head}\n"), *styled.table([(f"  {name}", text) for name, text in part], ("strong", ""))]
        out.append(("", "\n\n"))
    return out[:-1]


def _help_on(topic: str) -> Styled:
    if topic in topics():
        return [("ansi", render(page(topic), Paint(sys.stdout), width()).rstrip("\n"))]
    command = meta.find(topic)
    if command is None:
        from difflib import get_close_matches

        error = NotFoundError(f"there is no help on {topic!r}")
        near = get_close_matches(topic, topics(), 1)
        error.add_note(f"hint: is it `{near[0]}`?" if near else "hint: :help lists what there is; :doc has the modules")
        raise error
    also = f" (also {', '.join(f':{alias}' for alias in command.aliases)})" if command.aliases else ""
    return [("strong", f":{command.name} {command.usage}".rstrip()), ("", f"  {command.about}{also}")]


def _modules(session: Session) -> Styled:
    versions = {module.name: module.manifest.version for module in session.runtime.modules}
    rows = [(name, versions[name], node.summary) for name, node in session.scope.modules.items()]
    rows += [(name, "", "module of the host") for name in session.runtime.natives]
    return styled.table(rows, ("string", "note", ""))


def _plugins(session: Session) -> Styled:
    report = session.runtime.report
    rows = [
        (module.name, module.manifest.version, session.runtime.plugin(module.name).where, module.path)
        for module in session.runtime.modules
    ]
    out = styled.table(rows, ("string", "note", "number", "note")) if rows else [("", report.summary())]
    left_out = [*(each.reason for each in (*report.skipped, *report.refused)), *report.errors]
    return [*out, *(part for text in left_out for part in (("error", "\nleft out: "), ("", text)))]


# --- :doc ------------------------------------------------------------------------------------------------------------


def _doc(session: Session, name: str) -> Styled:
    if name in topics():
        return _help_on(name)
    node = session.scope.find(_chain(name)) or _by_id(session, name)
    found = session.runtime.docs.search(name)
    if node is not None:
        entry = next(entry for entry in session.runtime.docs.search() if entry.ref.id == node.id)
        return list(_entry(entry, node))
    exact = [entry for entry in found if name in (entry.title, entry.ref.id)]
    if exact:
        return [("", exact[0].body)]
    if not found:
        error = NotFoundError(f"nothing is known of {name!r}")
        error.add_note("hint: :modules lists the modules, :help the pages")
        raise error
    rows = [(entry.ref.id, entry.kind_label, entry.summary) for entry in found[:_MOST_FOUND]]
    more = f"\n... and {len(found) - _MOST_FOUND} more" if len(found) > _MOST_FOUND else ""
    return [*styled.table(rows, ("string", "note", "")), ("note", more)]


def _chain(name: str) -> list[str]:
    """`name` as the scope has it: names with dots between; a module's name is one part."""
    if name.startswith(("plugin:", "require(")):
        head, _, rest = name.partition(")") if name.startswith("require(") else (name, "", "")
        return [f"{head})", *filter(None, rest.split("."))] if rest or name.endswith(")") else [f'require("{head}")']
    return name.split(".")


def _by_id(session: Session, name: str) -> Node | None:
    """What the docs hub calls `MODULE/EXPORT.METHOD`."""
    module, slash, rest = name.partition("/")
    return session.scope.find([f'require("{module}")', *rest.split(".")]) if slash and '"' not in module else None


def _entry(entry: Entry, node: Node) -> Iterator[tuple[str, str]]:
    yield "strong", _headline(node)
    yield "note", f"  {node.label} of {entry.ref.id.partition('/')[0]}" if "/" in entry.ref.id else f"  {node.label}"
    for line in (entry.body or entry.summary).splitlines():
        yield "", f"\n    {line}".rstrip(" ")
    if entry.tags:
        yield "note", f"\n    tags: {', '.join(entry.tags)}"
    if node.signature is None and node.members:
        yield "", "\n\n"
        rows: list[tuple[str, str]] = []
        for member in node.members.values():
            rows.append((f"  {_headline(member)}", member.summary))
            if member.signature is None:
                rows += [(f"    {_headline(each)}", each.summary) for each in member.members.values()]
        yield from styled.table(rows, ("strong", ""))
    elif node.signature is not None:
        yield "note", "\n    also .async, for a Promise, and .with, for options of a call"



def _headline(node: Node) -> str:
    if node.signature is None:
        return node.name
    return f"{node.name}{node.signature if node.signature.known else '(…)'}"
