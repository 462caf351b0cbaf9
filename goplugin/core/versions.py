"""Which application protocol version a host and a plugin speak with each other.

A version names a set of plugins; a side may have several. The host sends its versions in the environment, the plugin
picks one and announces it, and the host accepts or refuses it. So the plugin decides, and never gives up: a host that
offers nothing it knows gets the plugin's oldest version, and is the one to say that this is incompatible.
Source: go-plugin client.go, Start and checkProtoVersion; server.go, protocolVersion.
"""
from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TypeVar

from .errors import ConfigError

__all__ = ["client_plugin_sets", "negotiate", "plugin_sets"]

SetT = TypeVar("SetT")


def client_plugin_sets(version: int, plugins: SetT | None, versioned: Mapping[int, SetT] | None) -> dict[int, SetT]:
    """The host's sets by version: `versioned`, and `plugins` as that of `version` unless there is one already."""
    sets = dict(versioned or {})
    if plugins is not None:
        sets.setdefault(version, plugins)
    return sets


def plugin_sets(version: int, plugins: SetT | None, versioned: Mapping[int, SetT] | None) -> dict[int, SetT]:
    """The plugin's sets by version: `versioned`, and `plugins` as that of `version` even if there is one already."""
    sets = dict(versioned or {})
    if plugins is not None:
        sets[version] = plugins
    return sets


def negotiate(own: Collection[int], offered: Collection[int]) -> int:
    """The version a plugin announces: the highest of its `own` that the host `offered`, else the lowest of its own.

    Raises ConfigError if the plugin has no version at all.
    """
    if not own:
        raise ConfigError("no protocol version to serve: give plugins or versioned_plugins")
    return max(set(own).intersection(offered), default=min(own))
