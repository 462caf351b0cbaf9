"""`version`: of this project and of what it rests on."""
from __future__ import annotations

import platform
from importlib import metadata

from goplugin import __version__

from ..render import json_text
from .base import Verb

__all__ = ["Version"]


class Version(Verb):
    def run(self) -> None:
        versions = {
            "goplugin": __version__,
            "python": platform.python_version(),
            "dukpy": metadata.version("dukpy"),
            "grpclib": metadata.version("grpclib"),
        }
        lines = (f"{name} {text}" for name, text in versions.items())
        print(json_text(versions) if self.settings.json else "\n".join(lines))
