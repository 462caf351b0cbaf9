"""Who made a module, as its custom section `producers` has it.

Rule 1: the engine has judged the module; what cannot be read here is simply not known.
Source: tool-conventions, ProducersSection.md.
"""
from __future__ import annotations

from .binary import CUSTOM, Reader, sections

__all__ = ["read_producers"]


def read_producers(module: bytes) -> dict[str, tuple[str, ...]]:
    """Names by field, versions left out: ``{"language": ("Go",), "processed-by": ("Go cmd/compile",)}``."""
    try:
        for kind, content in sections(module):
            section = Reader(content)
            if kind == CUSTOM and section.name() == "producers":
                return dict(_read_field(section) for _ in range(section.number()))
    except ValueError:
        pass
    return {}


def _read_field(section: Reader) -> tuple[str, tuple[str, ...]]:
    field = section.name()
    names: list[str] = []
    for _ in range(section.number()):
        names.append(section.name())
        section.name()      # its version
    return field, tuple(names)
