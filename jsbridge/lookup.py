"""What a script's `require` asks of Python: what a name means, and the text of a file.

Rule 1: a registered name is looked up verbatim, before anything else, and never as a path: native modules, then those
of plugins. A name that begins with "plugin:" is never a file's.
Rule 2: every other name is a file's, found as Node finds it (resolution.py); in code that is no file, from the working
directory, as in `node -e`.
"""
from __future__ import annotations

import errno
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from goplugin.core.errors import PluginError

from .binary import reading_bytes
from .contract import NAMESPACE
from .module import module_shape, read_source
from .registry import Invoke, ModuleRegistry
from .resolution import RequireError, find_module, is_path, lookup_paths

__all__ = ["Lookup"]

_OF_NODE = frozenset({
    "assert", "buffer", "child_process", "cluster", "crypto", "dns", "events", "fs", "fs/promises", "http", "http2",
    "https", "module", "net", "os", "path", "process", "querystring", "readline", "stream", "string_decoder", "timers",
    "tls", "tty", "url", "util", "v8", "vm", "worker_threads", "zlib",
})


class Lookup:
    """Answers the requests of shim/require.js, which raise RequireError.

    `bind(module name, invoke, export, method)` gives the name under which the engine is to be called. `explain` adds to
    the error for a plugin module that is not there: a text, or the error which is its cause.
    """

    def __init__(
        self,
        registry: ModuleRegistry,
        bind: Callable[[str, Invoke, str, str], str],
        explain: Callable[[str], str | PluginError] | None,
    ) -> None:
        self._registry = registry
        self._bind = bind
        self._explain = explain
        self.requests: dict[str, Callable[..., Any]] = {
            "resolve": self.resolve,
            "find": self.find,
            "paths": self.paths,
            "read": self.read,
            "part": _read_part,
        }

    def resolve(self, directory: str | None, name: str, stack: list[str]) -> dict[str, Any]:
        """The shape of a registered module, or path and directory of a file; `stack` has the files that want it."""
        module = self._registry.get(name)
        if module is not None:
            invoke = reading_bytes(module.invoke, module.manifest.capabilities)
            return {"shape": module_shape(module.manifest, partial(self._bind, name, invoke))}
        native = self._registry.natives.get(name)
        if native is not None:
            invoke = reading_bytes(native.invoke, native.manifest.capabilities)
            return {"shape": native.shape(partial(self._bind, name, invoke))}
        path = self._find_file(directory, name, stack)
        return {"path": path, "directory": os.path.dirname(path)}

    def find(self, directory: str | None, name: str, stack: list[str]) -> str:
        """The name of a registered module as it is, or the path of a file."""
        known = self._registry.get(name) or name in self._registry.natives
        return name if known else self._find_file(directory, name, stack)

    def paths(self, directory: str | None, name: str) -> list[str] | None:
        """The directories that `name` is looked for in; None if it is registered."""
        if self._registry.get(name) or name in self._registry.natives:
            return None
        return [directory or os.getcwd()] if is_path(name) else lookup_paths(directory or "")

    def read(self, path: str) -> str:
        """The text of a script or JSON file."""
        if path.endswith(".mjs"):
            text = f"require() of ES Module {path} is not supported; scripts are CommonJS"
            raise RequireError(text, "ERR_REQUIRE_ESM")
        try:
            return read_source(path)
        except OSError as error:
            code = errno.errorcode.get(error.errno or 0, "EIO")
            raise RequireError(f"cannot read {path}: {error.strerror}", code) from error
        except UnicodeDecodeError as error:
            raise RequireError(f"cannot read {path}: not UTF-8 at byte {error.start}", "EILSEQ") from error

    def _find_file(self, directory: str | None, name: str, stack: list[str]) -> str:
        refusal = self._registry.refusal(name)
        if refusal is not None:
            raise RequireError(refusal, "ERR_NOT_ALLOWED")
        path = None if name.startswith(NAMESPACE) else find_module(name, directory or "")
        if path is not None:
            return path
        lines, cause = [f"Cannot find module '{name}'"], None
        if self._explain is not None and name.startswith(NAMESPACE):
            explanation = self._explain(name)
            lines.append(str(explanation))
            cause = explanation if isinstance(explanation, PluginError) else None
        elif name.removeprefix("node:") in _OF_NODE:
            lines[0] += ": Node's own modules are not there"
        if stack and not name.startswith(NAMESPACE):
            lines += ["Require stack:", *(f"- {file}" for file in stack)]
        raise RequireError("\n".join(lines), "MODULE_NOT_FOUND", requireStack=stack) from cause


def _read_part(name: str) -> str:
    """A part of the shim that is loaded when it is first used; see shim/globals.js."""
    return Path(__file__).with_name("shim").joinpath("parts", f"{name}.js").read_text("utf-8")
