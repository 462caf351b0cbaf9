"""What there is to read about a runtime's modules and its host: `require("docs")` for scripts, `DocHub` for Python.

Rule 1: a source is asked anew each time, so that what is registered later is found.
Rule 2: the filters of a search are all to hold; of the values of one filter, one is enough.
Rule 3: what is not there is None, and null in a script; a script's filter of the wrong type is no filter.
Source: go-go-goja pkg/docaccess and its module `docs`, whose names of sources, kinds and fields these are.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, cast

from goplugin.core.environ import go_quote
from goplugin.core.errors import ConfigError

__all__ = ["HELP_SECTION", "DocHub", "Entry", "Ref", "Source", "docs_module"]

HELP_SECTION, SYMBOL = "help-section", "symbol"


class Ref(NamedTuple):
    """What an entry is known by."""

    source_id: str
    kind: str
    id: str


class Entry(NamedTuple):
    """One page, module, export or method. `body` is its text, `summary` a line of it; `path` the file it is about."""

    ref: Ref
    title: str
    summary: str = ""
    body: str = ""
    topics: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    path: str = ""
    kind_label: str = ""
    related: tuple[Ref, ...] = ()
    metadata: Mapping[str, Any] = {}


class Source(NamedTuple):
    """Where entries come from; `entries` gives all of them, whose refs have this `id`."""

    id: str
    kind: str
    title: str
    summary: str
    entries: Callable[[], Iterable[Entry]]
    runtime_scoped: bool = False


class DocHub:
    """The entries of several sources."""

    def __init__(self, *sources: Source) -> None:
        self._sources: dict[str, Source] = {}
        for source in sources:
            self.add(source)

    def add(self, source: Source) -> None:
        """Take `source`. Raises ConfigError if another one has its id."""
        if self._sources.setdefault(source.id, source) is not source:
            raise ConfigError(f"docs source {go_quote(source.id)} already registered")

    def sources(self) -> list[Source]:
        """All sources, by id."""
        return [source for _, source in sorted(self._sources.items())]

    def search(
        self,
        text: str = "",
        *,
        source_ids: Iterable[str] = (),
        kinds: Iterable[str] = (),
        topics: Iterable[str] = (),
        tags: Iterable[str] = (),
        limit: int = 0,
    ) -> list[Entry]:
        """The entries that every filter given lets through, by source, kind, title and id; at most `limit`, if any.

        `text` is found anywhere in title, summary, body, path and metadata. Case does not matter but in `source_ids`.
        """
        ids = set(source_ids) or set(self._sources)
        text = text.strip().lower()
        filters = [_words(kinds), _words(topics), _words(tags)]
        found = [
            entry
            for source in self._sources.values()
            if source.id in ids
            for entry in source.entries()
            if _has_words(entry, filters) and (not text or text in _full_text(entry))
        ]
        found.sort(key=lambda entry: (entry.ref.source_id, entry.ref.kind, entry.title, entry.ref.id))
        return found[:limit] if limit > 0 else found

    def get(self, ref: Ref) -> Entry | None:
        """The entry with that reference; None if there is none."""
        source = self._sources.get(ref.source_id)
        return next((entry for entry in source.entries() if entry.ref == ref), None) if source else None

    def by_id(self, source_id: str, kind: str, entry_id: str) -> Entry | None:
        return self.get(Ref(source_id, kind, entry_id))

    def by_slug(self, source_id: str, slug: str) -> Entry | None:
        """The help page of that name."""
        return self.get(Ref(source_id, HELP_SECTION, slug))

    def by_symbol(self, source_id: str, symbol: str) -> Entry | None:
        """What is documented of a symbol in JavaScript sources."""
        return self.get(Ref(source_id, SYMBOL, symbol))


def _words(values: Iterable[str]) -> set[str]:
    return {value.strip().lower() for value in values} - {""}


def _has_words(entry: Entry, filters: list[set[str]]) -> bool:
    values = ((entry.ref.kind,), entry.topics, entry.tags)
    return all(not wanted or wanted & _words(have) for wanted, have in zip(filters, values, strict=True))


def _full_text(entry: Entry) -> str:
    metadata = [f"{key}: {_go_text(value)}" for key, value in entry.metadata.items()]
    return "\n".join([entry.title, entry.summary, entry.body, entry.path, *metadata]).lower()


def _go_text(value: object) -> str:
    """`value` as Go's fmt.Print shows it."""
    if isinstance(value, (list, tuple)):
        return f"[{' '.join(map(_go_text, cast('list[object]', value)))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def docs_module(hub: DocHub) -> dict[str, Callable[..., Any]]:
    """`require("docs")`, as a native module."""

    def sources() -> list[dict[str, Any]]:
        return [_source_json(source) for source in hub.sources()]

    def search(query: object = None) -> list[dict[str, Any]]:
        asked = cast("dict[str, Any]", query) if isinstance(query, dict) else {}
        limit = asked.get("limit")
        found = hub.search(
            _text(asked.get("text")),
            source_ids=_texts(asked.get("sourceIds")),
            kinds=_texts(asked.get("kinds")),
            topics=_texts(asked.get("topics")),
            tags=_texts(asked.get("tags")),
            limit=int(limit) if isinstance(limit, (int, float)) and 0 < limit < 1 << 53 else 0,
        )
        return [_entry_json(entry) for entry in found]

    def get(ref: object = None) -> dict[str, Any] | None:
        asked = cast("dict[str, Any]", ref) if isinstance(ref, dict) else {}
        return by_id(asked.get("sourceId"), asked.get("kind"), asked.get("id"))

    def by_id(source_id: object = "", kind: object = "", entry_id: object = "") -> dict[str, Any] | None:
        entry = hub.by_id(_text(source_id), _text(kind), _text(entry_id))
        return _entry_json(entry) if entry else None

    def by_slug(source_id: object = "", slug: object = "") -> dict[str, Any] | None:
        return by_id(source_id, HELP_SECTION, slug)

    def by_symbol(source_id: object = "", symbol: object = "") -> dict[str, Any] | None:
        return by_id(source_id, SYMBOL, symbol)

    return {
        "sources": sources,
        "search": search,
        "get": get,
        "byID": by_id,
        "bySlug": by_slug,
        "bySymbol": by_symbol,
    }


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _texts(value: object) -> list[str]:
    return [text for each in cast("list[object]", value) if (text := _text(each))] if isinstance(value, list) else []


def _source_json(source: Source) -> dict[str, Any]:
    return {
        "id": source.id,
        "kind": source.kind,
        "title": source.title,
        "summary": source.summary,
        "runtimeScoped": source.runtime_scoped,
        "metadata": None,
    }


def _entry_json(entry: Entry) -> dict[str, Any]:
    return {
        "ref": _ref_json(entry.ref),
        "title": entry.title,
        "summary": entry.summary,
        "body": entry.body,
        "topics": list(entry.topics),
        "tags": list(entry.tags),
        "path": entry.path,
        "kindLabel": entry.kind_label,
        "related": [_ref_json(ref) for ref in entry.related],
        "metadata": dict(entry.metadata),
    }


def _ref_json(ref: Ref) -> dict[str, str]:
    return {"sourceId": ref.source_id, "kind": ref.kind, "id": ref.id}
