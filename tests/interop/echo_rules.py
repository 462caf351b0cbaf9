"""What a Go host may expect of `plugin:echo`, whatever language it is written in.

A test module inherits the rules in a class of its own, and names the plugin in a module-scoped fixture `command`.
"""
from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from .driver import HostError, JSHost
from .gopeers import GoPeers

__all__ = ["GRACE_MS", "MEBIBYTE", "NOT_RUN_BY_HAND", "VALUES", "EchoRules", "last_log"]

NOT_RUN_BY_HAND = """\
This binary is a plugin. These are not meant to be executed directly.
Please execute the program that consumes these plugins, which will
load any plugins automatically
"""
MEBIBYTE = 1 << 20
VALUES: list[object] = [
    *(None, True, False),
    *(0, -1.5, 2**53, 1e308, 5e-324),
    *("", "h\0\u00e9\U0001f600", "x" * 70_000),
    *([], [None, [1, [{}]]]),
    *({}, {"b": 1, "a": {"": [None]}}),
]
GRACE_MS = 2000  # what go-plugin gives a plugin before it kills it


def last_log(host: JSHost, message: str) -> dict[str, Any]:
    """The latest entry of the host's log with this message, once it is there."""
    return [entry for entry in host.logs(contains=message) if entry["@message"] == message][-1]


class EchoRules:
    def test_the_manifest_names_the_module_and_its_exports(self, host: JSHost) -> None:
        manifest = host.manifest()

        assert manifest["moduleName"] == "plugin:echo"
        assert manifest["version"] == "v1"
        assert manifest["exports"][:3] == [
            {"name": "ping", "kind": "EXPORT_KIND_FUNCTION"},
            {"name": "pid", "kind": "EXPORT_KIND_FUNCTION"},
            {"name": "math", "kind": "EXPORT_KIND_OBJECT", "methodSpecs": [{"name": "add"}]},
        ]

    @pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:20])
    def test_a_value_comes_back_as_it_was(self, host: JSHost, value: object) -> None:
        assert host.invoke("ping", value) == value

    def test_a_missing_result_is_null(self, host: JSHost) -> None:
        assert host.invoke("ping") is None

    def test_an_object_has_methods(self, host: JSHost) -> None:
        assert host.invoke("math.add", 2, 0.5) == 2.5

    @pytest.mark.parametrize("text", ["no such luck", "two\nlines", "h\u00e9 100%"])
    def test_a_plain_error_arrives_as_unknown_with_its_text(self, host: JSHost, text: str) -> None:
        with pytest.raises(HostError) as caught:
            host.invoke("fail", text)

        assert str(caught.value) == f"rpc error: code = Unknown desc = {text}"
        assert caught.value.code == "Unknown"

    def test_an_error_with_a_status_keeps_its_code(self, host: JSHost) -> None:
        with pytest.raises(HostError) as caught:
            host.invoke("status", "no such key")

        assert str(caught.value) == "rpc error: code = NotFound desc = no such key"
        assert caught.value.code == "NotFound"

    def test_an_unknown_export_is_refused(self, host: JSHost) -> None:
        with pytest.raises(HostError, match="unsupported export"):
            host.invoke("nope")

    def test_a_call_that_ran_out_of_time_leaves_the_plugin_usable(self, host: JSHost) -> None:
        with pytest.raises(HostError) as caught:
            host.invoke("sleep", 500, timeout=0.05)

        assert caught.value.code == "DeadlineExceeded"  # the text depends on which side noticed first
        assert host.invoke("ping", "still here") == "still here"

    def test_a_result_may_be_larger_than_grpcs_default_limit(self, host: JSHost) -> None:
        assert host.invoke("big", 5 * MEBIBYTE) == "x" * (5 * MEBIBYTE)

    def test_it_answers_the_health_check(self, host: JSHost) -> None:
        host.ping()

    def test_what_it_prints_reaches_the_host(self, host: JSHost) -> None:
        host.invoke("print", "to stdout h\u00e9\n", "to stderr\n")

        assert host.stdio(stdout="\n", stderr="\n") == ("to stdout h\u00e9\n", "to stderr\n")

    @pytest.mark.parametrize("level", ["debug", "info", "error"])
    def test_what_it_logs_reaches_the_hosts_logger(self, host: JSHost, level: str) -> None:
        host.invoke("log", level, f"an {level} message")

        assert last_log(host, f"an {level} message")["@level"] == level

    def test_it_sees_the_environment_of_the_protocol(self, host: JSHost) -> None:
        names = ["GO_GO_GOJA_PLUGIN", "PLUGIN_MIN_PORT", "PLUGIN_MAX_PORT", "PLUGIN_PROTOCOL_VERSIONS", "NO_SUCH_NAME"]

        assert [host.invoke("env", name) for name in names] == ["js-module", "10000", "25000", "1", None]

    def test_it_runs_in_a_process_of_its_own(self, host: JSHost) -> None:
        assert host.invoke("pid") == host.plugin_pid != os.getpid()

    def test_it_ends_at_once_when_asked_to(self, go: GoPeers, command: Sequence[str | Path]) -> None:
        with JSHost(go.jshost, *command) as host:
            milliseconds = host.kill()

            assert milliseconds < GRACE_MS
            assert "error" not in last_log(host, "plugin process exited")
            with pytest.raises(HostError) as caught:
                host.invoke("ping")
            assert caught.value.code == "Canceled"

    def test_a_call_that_still_runs_does_not_delay_its_end(self, go: GoPeers, command: Sequence[str | Path]) -> None:
        with JSHost(go.jshost, *command) as host:
            with pytest.raises(HostError, match="DeadlineExceeded"):
                host.invoke("sleep", 60_000, timeout=0.05)

            assert host.kill() < GRACE_MS

    def test_its_crash_is_an_error_of_the_call(
        self, go: GoPeers, command: Sequence[str | Path], private_tmpdir: dict[str, str]
    ) -> None:
        with JSHost(go.jshost, *command, env=private_tmpdir) as host:
            for _ in range(2):
                with pytest.raises(HostError) as caught:
                    host.invoke("crash")
                assert caught.value.code == "Unavailable"
            assert last_log(host, "plugin process exited")["error"] == "exit status 3"

    def test_run_by_hand_it_explains_itself(self, command: Sequence[str | Path]) -> None:
        environment = {**os.environ, "GO_GO_GOJA_PLUGIN": "something else"}

        ended = subprocess.run(command, env=environment, capture_output=True, text=True)

        assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", NOT_RUN_BY_HAND)
