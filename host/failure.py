"""How a run that failed is reported: its exit code, and what went wrong as text or JSON.

Rule 1: exit codes are decided here and nowhere else; an error that wraps another has the code of its origin.
Rule 2: an error is one line, the facts about it indented below, and at the end what to do; as JSON it is one object
with the same parts. A note on an exception (`add_note`) that reads `label: text` is such a fact.
"""
from __future__ import annotations

import json
import re
from collections.abc import Iterator

from goplugin.core.errors import (
    ChecksumError,
    ConfigError,
    CoreVersionError,
    HandshakeError,
    IncompatibleVersionError,
    LaunchError,
    PluginLostError,
    RemoteError,
    UnsupportedProtocolError,
)
from goplugin.core.handshake import UnrecognizedLineError
from goplugin.core.hclog import readable
from goplugin.core.status import Code
from jsbridge.engine import JSError
from jsbridge.manifest import ManifestError

from .errors import Interrupted, LoadError, NotFoundError, PolicyError

__all__ = ["error_json", "error_text", "exit_code", "hint"]

_FAILED, _USAGE, _NOT_FOUND, _NOT_ACCEPTED, _LOST, _FORBIDDEN = 1, 2, 3, 4, 5, 6
_TIME_LIMIT = 124

_CODES: tuple[tuple[type[BaseException], int], ...] = (
    (ConfigError, _USAGE),
    (NotFoundError, _NOT_FOUND),
    (HandshakeError, _NOT_ACCEPTED),
    (ManifestError, _NOT_ACCEPTED),
    (LaunchError, _LOST),
    (PluginLostError, _LOST),
    (PolicyError, _FORBIDDEN),
    (ChecksumError, _FORBIDDEN),
)
_SCRIPT_CODES = {
    "MODULE_NOT_FOUND": _NOT_FOUND,
    "ERR_NOT_ALLOWED": _FORBIDDEN,
    "ERR_SCRIPT_EXECUTION_TIMEOUT": _TIME_LIMIT,
}

_ALLOW = "name it with --allow-plugin-module, or leave that flag out to allow every module"
_INSTALLED = "`list --all` shows what is installed; --plugin-dir names other directories"
_HINTS: tuple[tuple[type[BaseException], str, str], ...] = (
    (LoadError, "read plugin manifest", "it starts, but does not answer as a JavaScript module should: move it away"),
    (LaunchError, "timeout while waiting", "give it longer with --start-timeout, or see by hand what it waits for"),
    (LaunchError, "exec format error", "it needs a first line `#!/path/to/python`, or is a binary of another machine"),
    (LaunchError, "no such file", "the interpreter its first line names does not exist, or that line ends in CRLF"),
    (LaunchError, "with code 0 ", "it ended without serving: does the file end with `serve_module(module)`?"),
    (LaunchError, "is not a WebAssembly module", "its first bytes are those of another kind of file"),
    (LaunchError, "is a component, not a core module", "build it for wasm32-wasip1 or wasm32-unknown-unknown"),
    (LaunchError, "is not a valid module", "it is damaged, or uses what this version of wasmtime does not know"),
    (LaunchError, "permission denied", "`chmod a+rx` it, and what its first line names"),
    (LaunchError, "", "what it wrote to stderr says why; correct the plugin, or move it away to go on without it"),
    (UnrecognizedLineError, "", "the first line a plugin prints must be the handshake; other output belongs on stderr"),
    (CoreVersionError, "", "rebuild the plugin with a library that speaks this version, or move it away"),
    (IncompatibleVersionError, "", "rebuild the plugin for protocol version 1 of JavaScript modules, or move it away"),
    (UnsupportedProtocolError, "", "serve the plugin over gRPC, or move it away"),
    (HandshakeError, "", "the plugin's author has to correct its handshake; move the plugin away to go on without it"),
    (ManifestError, "duplicate plugin module", "move one of the two away, or choose directories with --plugin-dir"),
    (ManifestError, "", "the plugin's author has to correct the manifest; move the plugin away to go on without it"),
    (PluginLostError, "", "the plugin's process ended or closed its connection; a new run starts it again"),
    (PolicyError, "allowlist", _ALLOW),
    (PolicyError, "editor's backup", "remove it, move it away, or leave out --strict to go on without it"),
    (PolicyError, "is not executable", "`chmod +x` it, move it away, or leave out --strict to go on without it"),
    (PolicyError, "", "move it away, or leave out --strict to go on without it"),
    (JSError, "is not in the allowlist", _ALLOW),
    (JSError, "Cannot find module 'plugin:", _INSTALLED),
    (JSError, "has await outside of an async", "put it into one: at top level only `eval` and the REPL take it"),
    (NotFoundError, "Cannot find module", _INSTALLED),
    (Interrupted, "time limit", "give it longer with --timeout"),
    (JSError, "time limit of", "give it longer with --timeout"),
    (JSError, "more than its limit of", "give it more with --memory, or see what it keeps"),
)
"""What to do about an error of a kind whose text has something in it; the first that fits is taken."""


_REINSTALL = "it was installed for another interpreter: install it again (`make install-modules`, for the examples)"
_LONGER_CALL = "give a call longer: with --call-timeout, or in the script where that has its own `.with({timeout})`"
_MISSING_PACKAGE = re.compile("No module named '?(goplugin|jsbridge)|exec: .*not found")
"""What a plugin's stderr says if its interpreter is not the one it was installed for."""


def exit_code(error: BaseException) -> int:
    """The exit code of a run that ended with `error`."""
    for origin in reversed(list(_origins(error))):
        if isinstance(origin, Interrupted):
            return origin.exit_code
        for kind, code in _CODES:
            if isinstance(origin, kind):
                return code
        if isinstance(origin, LoadError):
            # Asked for its manifest, the plugin answered with an error, or with rubbish; or it hangs: as good as lost.
            hangs = isinstance(origin.cause, RemoteError) and origin.cause.code is Code.DEADLINE_EXCEEDED
            return _LOST if hangs else _NOT_ACCEPTED
        if isinstance(origin, JSError) and origin.code in _SCRIPT_CODES:
            return _SCRIPT_CODES[origin.code]
    return _FAILED


def error_text(error: BaseException) -> str:
    """`error` for people, on several lines."""
    headline, *more = _message(error).splitlines() or [""]
    lines = [f"error: {headline}", *(f"  {line}".rstrip() for line in more)]
    facts = list(_facts(error))
    width = max((len(label) for label, _ in facts), default=0) + 2
    for label, text in facts:
        first, *others = text.splitlines() or [""]
        lines.append(f"  {f'{label}:'.ljust(width)}{first}")
        lines += [f"  {' ' * width}{line}" for line in others]
    return "\n".join(lines)


def error_json(error: BaseException) -> str:
    """`error` for programs, as one line of JSON: an object with the key `error`.

    In it `message` is the whole text, `exit_code` the run's; the other keys are the labels of the facts.
    """
    facts = {label.replace(" ", "_"): text for label, text in _facts(error)}
    return json.dumps(
        {"error": {"type": type(error).__name__, "message": str(error), "exit_code": exit_code(error), **facts}}
    )


def _origins(error: BaseException) -> Iterator[BaseException]:
    """`error`, what caused it, and so on."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _message(error: BaseException) -> str:
    """The text of `error` without what is among its facts."""
    if isinstance(error, LoadError):
        return f"{error.stage}: {error.cause}"
    if isinstance(error, JSError) and error.name == "Error":
        return error.message
    return str(error)


def _facts(error: BaseException) -> Iterator[tuple[str, str]]:
    """What else is known, each with its label; the hint is the last."""
    if isinstance(error, JSError):
        frames = [line.strip() for line in error.stack.splitlines() if line.startswith("    at ")]
        if frames:
            yield "stack", "\n".join(frames)
    for origin in _origins(error):
        if isinstance(origin, LoadError) and origin.stderr and origin.stderr not in _message(error):
            yield "plugin stderr", readable(origin.stderr)
    for origin in _origins(error):
        if isinstance(origin, LaunchError):
            continue  # its notes are for tracebacks: the LoadError around it has the stderr, and the hint says the rest
        for note in getattr(origin, "__notes__", ()):
            label, _, text = note.partition(": ")
            yield label, text
    text = hint(error)
    if text:
        yield "hint", text


def hint(error: BaseException) -> str:
    """What to do, or "" where the error itself says it."""
    origins = list(_origins(error))
    # What is not there because its plugin did not load is about that plugin.
    loads = [number for number, origin in enumerate(origins) if isinstance(origin, LoadError)]
    for origin in origins[loads[0] if loads else 0 :]:
        if isinstance(origin, LoadError) and _MISSING_PACKAGE.search(origin.stderr):
            return _REINSTALL
        if isinstance(origin, RemoteError) and origin.code is Code.DEADLINE_EXCEEDED:
            return _LONGER_CALL
        for kind, part, text in _HINTS:
            if isinstance(origin, kind) and part in str(origin):
                return text
    return ""
