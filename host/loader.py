"""From plugin candidates to modules that may be registered: start, read, validate, select.

Rule 1: all candidates start side by side, and are judged in the order of their paths, so the first error is the same
in every run.
Rule 2: one bad plugin fails the loading. Nothing is registered then; the owner of the processes ends them.
Rule 3: the allowlist is about names, and only a started plugin tells its name; one that is not allowed is closed again
and left out, or fails the loading if strict.
Source: go-go-goja pkg/hashiplugin/host, LoadModules, which starts one after the other and is always strict.
"""
from __future__ import annotations

from collections.abc import Collection, Sequence

import attrs

from goplugin.core.environ import go_quote
from jsbridge.contract import NAMESPACE, ModuleManifest
from jsbridge.manifest import ManifestError, validate_manifest

from .errors import LoadError, PolicyError
from .launcher import PluginProcesses, RunningPlugin
from .report import Refused

__all__ = ["Loaded", "load_plugins"]


@attrs.frozen
class Loaded:
    """The plugins whose modules may be registered, by path, and those the allowlist keeps out."""

    plugins: tuple[RunningPlugin, ...]
    refused: tuple[Refused, ...]


def load_plugins(
    candidates: Sequence[str], processes: PluginProcesses, *, allow: Collection[str] = (), strict: bool = False
) -> Loaded:
    """Start every candidate on `processes` and check what it is.

    An empty `allow` allows every module. Raises LoadError; what was started by then is still in `processes`.
    """
    plugins: list[RunningPlugin] = []
    refused: list[Refused] = []
    for start in [processes.start(path) for path in candidates]:
        plugin = start.result()
        try:
            _validate(plugin, allow)
        except LoadError as error:
            if strict or not isinstance(error.cause, PolicyError):
                raise
            refused.append(Refused(plugin.path, plugin.manifest.module_name, str(error.cause)))
        else:
            plugins.append(plugin)
    return Loaded(tuple(plugins), tuple(refused))


def _validate(plugin: RunningPlugin, allow: Collection[str]) -> None:
    """Close the plugin and raise LoadError unless its manifest is valid and its module allowed."""
    try:
        validate_manifest(plugin.manifest, allow=allow)
    except ManifestError as error:
        plugin.close()
        cause = PolicyError(str(error)) if _is_outside(plugin.manifest, allow) else error
        stage = f"validate plugin manifest from {go_quote(plugin.path)}: host validate manifest"
        raise LoadError(stage, cause, path=plugin.path, stderr=plugin.stderr_tail()) from cause


def _is_outside(manifest: ModuleManifest, allow: Collection[str]) -> bool:
    """Whether the allowlist is what the manifest fails at: the checks before it are those of the namespace."""
    name = manifest.module_name.strip()
    return bool(allow) and name.startswith(NAMESPACE) and name not in allow
