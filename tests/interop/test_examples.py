"""The examples with upstream's own, which come with the published go-plugin module: every host with every plugin."""
from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from .conftest import ROOT

EXAMPLES = ROOT / "examples"
PYTHON = Path(sys.executable)
RUN = (sys.executable, "-m", "goplugin", "run")

# By upstream's names: the directory of our example, and the variable that says how to start the plugin.
OURS = {
    "kv": ("kv", "KV_PLUGIN"),
    "negotiated": ("kv", "KV_PLUGIN"),
    "streaming": ("streaming", "STREAMER_PLUGIN"),
    "counter": ("counter", "COUNTER_PLUGIN"),
}


class Pairing(NamedTuple):
    """A host and a plugin, Go or Python each, in a directory of their own."""

    host: list[str]
    plugin: Path
    directory: Path
    environment: dict[str, str]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the host, which launches the plugin and ends it."""
        ended = subprocess.run(
            [*self.host, *arguments],
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60.0,
        )
        assert "failed to exit gracefully" not in ended.stderr
        return ended

    def output(self, *arguments: str) -> str:
        """What a run prints that succeeds."""
        ended = self.run(*arguments)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def install(self, name: str) -> None:
        """Have the plugin's executable where a host expects it."""
        target = self.directory / name
        target.parent.mkdir(exist_ok=True)
        target.symlink_to(self.plugin)


Pair = Callable[[str], Pairing]


@pytest.fixture(
    params=[
        pytest.param(("go", "python"), marks=pytest.mark.go, id="go_host-python_plugin"),
        pytest.param(("python", "go"), marks=pytest.mark.go, id="python_host-go_plugin"),
        pytest.param(("python", "python"), id="python_host-python_plugin"),
    ]
)
def languages(request: pytest.FixtureRequest) -> tuple[str, str]:
    """That of the host, and that of the plugin."""
    return request.param


@pytest.fixture
def pair(
    request: pytest.FixtureRequest, languages: tuple[str, str], tmp_path: Path, private_tmpdir: dict[str, str]
) -> Pair:
    """Gives the host and the plugin of an example."""

    def pair(example: str) -> Pairing:
        directory, variable = OURS[example]
        ours = EXAMPLES / directory
        go = getattr(request.getfixturevalue("upstream"), example) if "go" in languages else None
        host = [str(go.host)] if languages[0] == "go" else [*RUN[:1], str(ours / "host.py")]
        plugin = go.plugin if languages[1] == "go" else ours / "plugin.py"
        command = [str(plugin)] if languages[1] == "go" else [*RUN, str(plugin)]
        # exec, because upstream's host of counters does not end its plugin if a call fails: the plugin has to see that
        # the host is gone, which a shell between them would hide.
        text = shlex.join(["exec", *command] if languages[0] == "go" else command)
        # The path is for `#!/usr/bin/env python3`.
        path = os.pathsep.join([str(PYTHON.parent), os.environ["PATH"]])
        environment = {**os.environ, **private_tmpdir, "PATH": path, "KV_PROTO": "grpc", variable: text}
        return Pairing(host, plugin, tmp_path, environment)

    return pair


def test_kv(pair: Pair, languages: tuple[str, str]) -> None:
    kv = pair("kv")

    assert kv.output("put", "hello", "w\u00f6rld") == ""
    host, plugin = languages
    signature = {"go": "plugin-go-grpc", "python": f"plugin-python, version {1 if host == 'go' else 3}"}[plugin]
    assert kv.output("get", "hello") == f"w\u00f6rld\n\nWritten from {signature}\n"
    missing = kv.run("get", "nothing")
    assert missing.returncode == 1
    text = {"go": "code = Unknown desc = open kv_nothing", "python": "code = NotFound desc = no such key: nothing"}
    assert text[plugin] in missing.stdout + missing.stderr


def test_negotiated(pair: Pair, languages: tuple[str, str]) -> None:
    kv = pair("negotiated")
    kv.install("kv-plugin")

    kv.output("put", "hello", "world")

    signature = {"go": "plugin version 3\nRead by plugin version 3\n", "python": "plugin-python, version 3"}
    assert kv.output("get", "hello") == f"world\n\nWritten from {signature[languages[1]]}\n"


def test_streaming(pair: Pair, languages: tuple[str, str]) -> None:
    streaming = pair("streaming")
    streaming.install("plugin/streamer")

    ended = streaming.run("file")

    assert ended.returncode == 0, ended.stderr
    written = (streaming.directory / "file").read_text()
    if languages[0] == "go":
        assert written == "Lorem ipsum dolor sit amet"
        assert f'"received {len(written)} bytes"' in ended.stderr
        assert f'"bytes":"{written}"' in ended.stderr
    else:
        pieces = [written[start : start + 10] for start in range(0, len(written), 10)]
        assert len(pieces) > 1
        assert ended.stdout.splitlines() == pieces


def test_counter(pair: Pair) -> None:
    counter = pair("counter")

    assert counter.output("put", "hello", "1") == ""
    assert counter.output("put", "hello", "41") == ""

    assert counter.output("get", "hello") == "42\n"
    missing = counter.run("get", "nothing")
    assert missing.returncode == 1
    assert "rpc error: code = " in missing.stdout + missing.stderr


@pytest.mark.parametrize("example", ["kv", "streaming", "counter"])
def test_a_plugin_that_is_run_by_hand_explains_itself(example: str) -> None:
    ended = subprocess.run([PYTHON, EXAMPLES / example / "plugin.py"], capture_output=True, text=True, timeout=60.0)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("This binary is a plugin.")


@pytest.mark.parametrize("example", ["kv", "streaming", "counter"])
def test_a_host_that_is_run_without_arguments_says_what_it_takes(example: str) -> None:
    ended = subprocess.run([PYTHON, EXAMPLES / example / "host.py"], capture_output=True, text=True, timeout=60.0)

    assert ended.returncode == 1
    assert "    host.py " in ended.stderr


def test_a_host_of_counters_says_what_is_no_number() -> None:
    host = [PYTHON, EXAMPLES / "counter" / "host.py", "put", "visits", "many"]
    ended = subprocess.run(host, capture_output=True, text=True, timeout=60.0)

    assert (ended.returncode, ended.stderr) == (1, "error: not a whole number: many\n")


def test_a_host_says_why_there_is_no_plugin(tmp_path: Path) -> None:
    for example, arguments in {"kv": ["get", "key"], "streaming": ["file"], "counter": ["get", "key"]}.items():
        environment = {**os.environ, OURS[example][1]: str(tmp_path / "nothing")}
        host = [PYTHON, EXAMPLES / example / "host.py", *arguments]
        ended = subprocess.run(host, env=environment, capture_output=True, text=True, timeout=60.0)

        assert ended.returncode == 1
        assert ended.stderr.startswith("error: ")
        assert "Traceback" not in ended.stderr
