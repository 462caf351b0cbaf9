from __future__ import annotations

import json

import pytest

from goplugin import (
    ChecksumError,
    Code,
    ConfigError,
    IncompatibleVersionError,
    LaunchError,
    PluginError,
    PluginLostError,
    RemoteError,
    RemoteProtocolError,
    UnsupportedProtocolError,
)
from host import Interrupted, LoadError, NotFoundError, PolicyError
from host.failure import error_json, error_text, exit_code
from jsbridge.engine import JSError
from jsbridge.manifest import ManifestError
from tests.support import requirement

NOT_FOUND = RemoteError(Code.NOT_FOUND, "no such key")
NO_ANSWER = RemoteError(Code.DEADLINE_EXCEEDED, "context deadline exceeded")
LOST = PluginLostError("error reading from server: EOF")


def load_error(cause: PluginError, stderr: str = "") -> LoadError:
    return LoadError('start plugin "/p/x"', cause, path="/p/x", stderr=stderr)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (JSError("Error: boom"), 1),
        (NOT_FOUND, 1),
        (NO_ANSWER, 1),
        (RemoteProtocolError("rubbish"), 1),
        (JSError("GoError: no such key", cause_error=NOT_FOUND), 1),
        (ConfigError("no such flag"), 2),
        (NotFoundError("no such file"), 3),
        (JSError("Error: Cannot find module 'plugin:x'", code="MODULE_NOT_FOUND"), 3),
        (ManifestError('duplicate plugin module "plugin:x"'), 4),
        (load_error(ManifestError("plugin manifest is nil")), 4),
        (load_error(IncompatibleVersionError("incompatible API version")), 4),
        (load_error(UnsupportedProtocolError("unsupported plugin protocol")), 4),
        (load_error(RemoteError(Code.UNIMPLEMENTED, "unknown service")), 4),
        (load_error(RemoteProtocolError("protobuf: message ends inside a field")), 4),
        (load_error(LaunchError("timeout while waiting for plugin to start")), 5),
        (load_error(LOST), 5),
        (load_error(NO_ANSWER), 5),
        (LOST, 5),
        (JSError("GoError: EOF", cause_error=LOST), 5),
        (PolicyError("plugin candidate is not executable"), 6),
        (load_error(PolicyError("not in the allowlist")), 6),
        (load_error(ChecksumError("checksums did not match")), 6),
        (JSError("Error: not in the allowlist", code="ERR_NOT_ALLOWED"), 6),
        (Interrupted("the time limit is over", 124), 124),
        (Interrupted("ended by SIGTERM", 143), 143),
    ],
)
def test_every_error_has_the_exit_code_of_its_origin(error: BaseException, code: int) -> None:
    assert exit_code(error) == code


@requirement("jm.stderr")
def test_an_error_is_a_line_with_facts_below_and_a_hint_at_the_end() -> None:
    cause = LaunchError("plugin exited before we could connect", stderr="NameError: x")
    error = load_error(cause, stderr="Traceback\nNameError: x")

    assert error_text(error) == (
        'error: start plugin "/p/x": plugin exited before we could connect\n'
        "  plugin stderr: Traceback\n"
        "                 NameError: x\n"
        "  hint:          what it wrote to stderr says why; correct the plugin, or move it away to go on without it"
    )


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (load_error(LaunchError("fork/exec /p/x: exec format error")), "#!/path/to/python"),
        (load_error(LaunchError("fork/exec /p/x: no such file or directory")), "CRLF"),
        (load_error(LaunchError("x ended with code 0 and printed no handshake line")), "serve_module"),
        (load_error(LaunchError("x ended"), stderr="Error: No module named 'jsbridge'"), "install it again"),
        (load_error(LaunchError("x ended"), stderr="Error: No module named 'numpy'"), "stderr says why"),
        (JSError("GoError", cause_error=RemoteError(Code.DEADLINE_EXCEEDED, "too late")), "--call-timeout"),
        (JSError("GoError", cause_error=RemoteError(Code.DEADLINE_EXCEEDED, "too late")), ".with({timeout})"),
        (LaunchError("/p/x.wasm is not a WebAssembly module"), "another kind"),
        (LaunchError("/p/x.wasm is a component, not a core module"), "wasm32-wasip1"),
        (LaunchError("x.wasm is not a valid module: section too long"), "damaged"),
    ],
)
def test_the_hint_is_for_the_cause(error: BaseException, hint: str) -> None:
    assert hint in error_text(error).splitlines()[-1]


def test_the_other_lines_of_a_text_are_indented() -> None:
    assert error_text(PluginError("one\n\ntwo")) == "error: one\n\n  two"


def test_an_uncaught_javascript_error_has_its_stack_and_the_notes_of_its_origin() -> None:
    lost = PluginLostError("error reading from server: EOF")
    lost.add_note("plugin: plugin:x (/p/x)")
    stack = "GoError: EOF\n    at f (/s.js:3:7)\n    at /s.js:9:1"

    text = error_text(JSError("GoError: EOF", name="GoError", message="EOF", stack=stack, cause_error=lost))

    assert text == (
        "error: GoError: EOF\n"
        "  stack:  at f (/s.js:3:7)\n"
        "          at /s.js:9:1\n"
        "  plugin: plugin:x (/p/x)\n"
        "  hint:   the plugin's process ended or closed its connection; a new run starts it again"
    )


def test_a_plain_javascript_error_is_not_called_an_error_twice() -> None:
    assert error_text(JSError("Error: boom", name="Error", message="boom")) == "error: boom"


def test_as_json_an_error_is_one_object_on_one_line() -> None:
    text = error_json(load_error(LaunchError("plugin exited"), stderr="a\nb"))

    assert "\n" not in text
    assert json.loads(text) == {
        "error": {
            "type": "LoadError",
            "message": 'start plugin "/p/x": plugin exited; plugin stderr: a\nb',
            "exit_code": 5,
            "plugin_stderr": "a\nb",
            "hint": "what it wrote to stderr says why; correct the plugin, or move it away to go on without it",
        }
    }
