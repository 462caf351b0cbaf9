"""The host's log, for plugins."""
from __future__ import annotations

import logging

from ...core.hclog import Level
from ..host import HostModule
from .messages import MODULE, LogRequest

__all__ = ["log_to"]

_LEVELS = {level.name.lower(): level for level in Level}


def log_to(logger: logging.Logger, *, module: str = MODULE) -> HostModule:
    """Entries of the plugin as records of `logger`; its fields follow the message as key=value, as a process's do."""

    def log(request: bytes) -> bytes:
        entry = LogRequest.FromString(request)
        pairs = "".join(f" {key}={value}" for key, value in entry.fields.items())
        logger.log(_LEVELS.get(entry.level.lower(), Level.INFO), "%s%s", entry.message, pairs)
        return b""

    return HostModule(module, {"log": log})
