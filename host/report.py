"""What loading the plugins found, said in lines for people.

Rule: a report is a value; each stage of the loading puts its part in and hands on a new one.
Source: go-go-goja pkg/hashiplugin/host, LoadReport with its Summary and DetailLines. The two lists of what was skipped
and refused are ours (that host stops where this one goes on), and add lines only where they are not empty.
"""
from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import attrs

from goplugin.core.errors import PluginError
from jsbridge.contract import ModuleManifest

from .discovery import Skipped

__all__ = ["Failure", "LoadReport", "LoadedModule", "Refused", "callables", "flat_name"]


@attrs.frozen
class LoadedModule:
    """A registered module; `exports` are flat: `name` of a function, `object.method` of a method."""

    path: str
    module_name: str
    version: str = ""
    exports: tuple[str, ...] = ()
    kind: str = "process"

    @classmethod
    def of(cls, path: str, manifest: ModuleManifest, kind: str = "process") -> LoadedModule:
        """The entry of the module that the plugin at `path` offers, which runs in what `kind` says."""
        return cls(path, manifest.module_name, manifest.version, tuple(map(flat_name, callables(manifest))), kind)


@attrs.frozen
class Refused:
    """A module that was started, found to be outside the allowlist, and closed again."""

    path: str
    module_name: str
    reason: str


@attrs.frozen
class Failure:
    """A plugin that was not registered because of `error`; `module_name` is empty unless it told its manifest.

    `other` is the path of one that has the same module, and was not registered either.
    """

    path: str
    module_name: str
    error: PluginError
    other: str | None = None


@attrs.frozen
class LoadReport:
    """Everything one loading did, failed loadings included."""

    directories: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()
    loaded: tuple[LoadedModule, ...] = ()
    failures: tuple[Failure, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    refused: tuple[Refused, ...] = ()

    @property
    def errors(self) -> tuple[str, ...]:
        """The texts of the failures; one that is said twice in a row counts once."""
        return tuple(text for text, _ in itertools.groupby(str(failure.error) for failure in self.failures))

    @property
    def error(self) -> str:
        """All errors in one text, empty if there is none."""
        return "; ".join(self.errors)

    @property
    def failed_paths(self) -> tuple[str, ...]:
        """Every plugin that a failure left out, once."""
        paths = (path for failure in self.failures for path in (failure.other, failure.path) if path is not None)
        return tuple(dict.fromkeys(paths))

    def has_activity(self) -> bool:
        """Whether anything was configured, found or attempted."""
        return self != LoadReport()

    def summary(self) -> str:
        """The report in one line."""
        if self.errors:
            text = f"plugin load errors: {len(self.errors)}"
            if self.loaded:
                return f"{text}; loaded: {len(self.loaded)}"
            return f"{text}; candidates: {len(self.candidates)}" if self.candidates else text
        if self.loaded:
            return f"plugins loaded: {', '.join(module.module_name for module in self.loaded)}"
        if self.candidates:
            return f"plugin candidates found: {len(self.candidates)}, but no modules loaded"
        if self.directories:
            return f"no plugins found under {', '.join(self.directories)}"
        return "no plugin directories configured"

    def detail_lines(self) -> list[str]:
        """The report in full, one list after the other."""
        lines = ["Plugin discovery directories:" if self.directories else "Plugin discovery directories: none"]
        lines += _bullets(self.directories)
        lines += [f"Plugin candidates discovered: {len(self.candidates)}", *_bullets(self.candidates)]
        if self.skipped:
            lines += [f"Plugin candidates skipped: {len(self.skipped)}"]
            lines += _bullets([skipped.reason for skipped in self.skipped])
        lines += [f"Plugin modules loaded: {len(self.loaded)}"]
        for module in self.loaded:
            lines += _module_lines(module)
        if self.refused:
            lines += [f"Plugin modules refused: {len(self.refused)}"]
            lines += _bullets([f"{refused.reason} <- {refused.path}" for refused in self.refused])
        if self.errors:
            lines += [f"Plugin loading errors: {len(self.errors)}", *_bullets(self.errors)]
        return lines


def callables(manifest: ModuleManifest) -> Iterator[tuple[str, str]]:
    """What can be called of a module, as (export, method), in the manifest's order; the method is "" for a function."""
    for export in manifest.exports:
        if export.method_specs:
            yield from ((export.name, method.name) for method in export.method_specs)
        else:
            yield export.name, ""


def flat_name(callable_name: tuple[str, str]) -> str:
    """`greet` for a function, `strings.upper` for a method."""
    export, method = callable_name
    return f"{export}.{method}" if method else export


def _bullets(items: Sequence[str]) -> list[str]:
    return [f"  - {item}" for item in items]


def _module_lines(module: LoadedModule) -> Iterator[str]:
    version = f" ({module.version})" if module.version.strip() else ""
    path = f" <- {module.path}" if module.path.strip() else ""
    yield f"  - {module.module_name}{version}{path}"
    if module.exports:
        yield f"    exports: {', '.join(module.exports)}"
