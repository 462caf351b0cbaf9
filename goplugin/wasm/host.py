"""Functions of the host that a plugin may call."""
from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs

from .abi import DEFAULT_HOST_MODULE

__all__ = ["HostFunction", "HostModule"]

HostFunction = Callable[[bytes], bytes]
"""Takes a request, returns a response; both are serialized messages. Runs on the thread that called the plugin."""


@attrs.frozen
class HostModule:
    """Functions for plugins that import them from `name`, by the name they import (`abi.host_import_name`).

    A plugin need not use all of them. A function that raises ends the call of the plugin that it is in: the contract
    has no way to tell a plugin of an error, so what it may expect belongs into the response's message.
    """

    name: str = DEFAULT_HOST_MODULE
    functions: Mapping[str, HostFunction] = attrs.field(factory=dict[str, HostFunction])

    def host_module(self) -> HostModule:
        """This module itself: whatever has this method can be given to a generated class."""
        return self
