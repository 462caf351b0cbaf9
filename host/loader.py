"""From plugin candidates to modules that may be registered: start, read, validate, select.

Rule 1: all candidates start side by side, each is judged as soon as it has told its manifest, and what came of them is
in the order of their paths, so every run says the same.
Rule 2: a bad plugin is ended and reported, and the others are loaded without it; strictly, it fails the loading once
all have started, and the owner of the processes ends them.
Rule 3: a module is registered whole or not at all, and one that two plugins offer belongs to neither.
Rule 4: the allowlist is about names, and only a started plugin tells its name; one that is not allowed is ended at once
and left out, or strictly fails the loading.
Source: go-go-goja pkg/hashiplugin/host, LoadModules, which starts one after the other and is always strict.
"""
from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial

import attrs

from goplugin.core.environ import go_quote
from jsbridge.contract import NAMESPACE, ModuleManifest
from jsbridge.manifest import ManifestError, validate_manifest

from .errors import LoadError, PolicyError
from .launcher import PluginProcesses
from .plugin import RunningPlugin
from .report import Failure, Refused

__all__ = ["Loaded", "Progress", "load_plugins"]

Progress = Callable[[int, int, str], object]
"""Is told how many of how many plugins have been loaded, and the path of the next; from the caller's thread."""


@attrs.frozen
class Loaded:
    """The plugins whose modules may be registered, by path; those the allowlist keeps out, and those that failed."""

    plugins: tuple[RunningPlugin, ...]
    refused: tuple[Refused, ...]
    failures: tuple[Failure, ...]


def load_plugins(
    candidates: Sequence[str],
    processes: PluginProcesses,
    *,
    allow: Collection[str] = (),
    strict: bool = False,
    progress: Progress | None = None,
) -> Loaded:
    """Start every candidate on `processes` and check what it is.

    An empty `allow` allows every module. If `strict`, raises LoadError, and ManifestError for two plugins with one
    module; what was started by then is still in `processes`.
    """
    plugins: list[RunningPlugin] = []
    errors: list[LoadError] = []
    for number, start in enumerate([processes.start(path, partial(_validate, allow)) for path in candidates]):
        if progress is not None:
            progress(number, len(candidates), candidates[number])
        try:
            plugins.append(start.result())
        except LoadError as error:
            errors.append(error)
    twice = _duplicates(plugins)
    if strict and (errors or twice):
        raise errors[0] if errors else twice[0].error
    return Loaded(
        tuple(_only_unique(plugins, {failure.module_name for failure in twice})),
        tuple(Refused(each.path, each.module_name, str(each.cause)) for each in errors if _is_policy(each)),
        (*(Failure(each.path, each.module_name, each) for each in errors if not _is_policy(each)), *twice),
    )


def _is_policy(error: LoadError) -> bool:
    return isinstance(error.cause, PolicyError)


def _validate(allow: Collection[str], plugin: RunningPlugin) -> None:
    """Close the plugin and raise LoadError unless its manifest is valid and its module allowed."""
    try:
        validate_manifest(plugin.manifest, allow=allow)
    except ManifestError as error:
        plugin.close()
        cause = PolicyError(str(error)) if _is_outside(plugin.manifest, allow) else error
        stage = f"validate plugin manifest from {go_quote(plugin.path)}: host validate manifest"
        name = plugin.manifest.module_name
        raise LoadError(stage, cause, path=plugin.path, stderr=plugin.stderr_tail(), module_name=name) from cause


def _is_outside(manifest: ModuleManifest, allow: Collection[str]) -> bool:
    """Whether the allowlist is what the manifest fails at: the checks before it are those of the namespace."""
    name = manifest.module_name.strip()
    return bool(allow) and name.startswith(NAMESPACE) and name not in allow


def _duplicates(plugins: Sequence[RunningPlugin]) -> list[Failure]:
    """One failure for each plugin whose module an earlier one has, too."""
    first: dict[str, RunningPlugin] = {}
    found: list[Failure] = []
    for plugin in plugins:
        name = plugin.manifest.module_name
        other = first.setdefault(name, plugin)
        if other is not plugin:
            paths = f"{go_quote(other.path)} and {go_quote(plugin.path)}"
            error = ManifestError(f"duplicate plugin module {go_quote(name)} discovered at {paths}")
            found.append(Failure(plugin.path, name, error, other.path))
    return found


def _only_unique(plugins: Sequence[RunningPlugin], ambiguous: Collection[str]) -> Iterator[RunningPlugin]:
    """The plugins but for those whose module is `ambiguous`, which are ended."""
    for plugin in plugins:
        if plugin.manifest.module_name in ambiguous:
            plugin.close()
        else:
            yield plugin
