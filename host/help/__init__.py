"""The pages of `help TOPIC`: Markdown files named after their topics, under the names that go-go-goja's guide has."""
from __future__ import annotations

from pathlib import Path

__all__ = ["page", "title", "topics"]

_TOPICS = (
    "goja-plugin-user-guide",
    "plugin-tutorial-build-install",
    "goja-plugin-developer-guide",
    "creating-modules",
    "repl-usage",
)


def topics() -> tuple[str, ...]:
    """The names of the pages, in the order in which to read them."""
    return _TOPICS


def page(topic: str) -> str:
    """The Markdown of one of `topics`."""
    return Path(__file__).with_name(f"{topic}.md").read_text("utf-8")


def title(source: str) -> str:
    """The heading of a page."""
    return source.partition("\n")[0].lstrip("# ")
