"""Several plugins in one program; the host says which by the program's one argument.

Source: go-plugin server_mux.go.
"""
from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from .server import serve

if TYPE_CHECKING:
    from .server import ServeConfig

__all__ = ["serve_mux"]


def serve_mux(configs: Mapping[str, ServeConfig]) -> None:
    """Serve the plugin whose name is the program's argument, as `serve` does.

    Without exactly one argument, or with a name that is none of these, it explains itself on stderr and exits with
    code 1.
    """
    names = sys.argv[1:]
    if len(names) != 1:
        problem = "Invoked improperly. This is an internal command that shouldn't\nbe manually invoked."
    elif names[0] not in configs:
        problem = f"Unknown plugin: {names[0]}"
    else:
        serve(configs[names[0]])
        return
    sys.stderr.write(f"{problem}\n")
    raise SystemExit(1)
