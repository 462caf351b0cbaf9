"""docs/plugin-for-a-go-tool.md: the programs on that page, run as it says, by the tool that it names."""
from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from goplugin import ReattachConfig
from goplugin.sync import channel_to
from tests.support import requirement

from .conftest import ROOT
from .upstream import UpstreamExamples

PAGE = (ROOT / "docs" / "plugin-for-a-go-tool.md").read_text("utf-8")
PROGRAMS: list[str] = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
(SMALLEST,) = (program for program in PROGRAMS if program.startswith("# plugin.py\n"))
(TEST,) = (program for program in PROGRAMS if program.startswith("# test_plugin.py\n"))
WHOLE = PROGRAMS[-1]

Tool = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where the reader is after generating code; the protocol is that of the example."""
    for name in "kv_pb2.py", "kv_grpc.py":
        shutil.copy(ROOT / "examples" / "kv" / name, tmp_path)
    return tmp_path


@pytest.fixture
def tool(upstream: UpstreamExamples, directory: Path, private_tmpdir: dict[str, str]) -> Tool:
    """Runs one command of the tool with directory's plugin.py."""
    plugin = shlex.join(["exec", sys.executable, "-m", "goplugin", "run", "plugin.py"])
    environment = {**os.environ, **private_tmpdir, "KV_PROTO": "grpc", "KV_PLUGIN": plugin}

    def tool(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [upstream.kv.host, *arguments]
        return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, timeout=60.0)

    return tool


@pytest.mark.go
def test_the_smallest_plugin_works(tool: Tool, directory: Path) -> None:
    (directory / "plugin.py").write_text(SMALLEST)

    assert tool("get", "greeting").stdout == "hello from Python\n"
    assert tool("get", "nothing").stdout == "error: rpc error: code = NotFound desc = no such key: nothing\n"


@pytest.mark.go
def test_the_whole_plugin_keeps_values_and_tells_the_tool_about_it(tool: Tool, directory: Path) -> None:
    (directory / "plugin.py").write_text(WHOLE)

    stored = tool("put", "hello", "world")

    (line,) = (line for line in stored.stderr.splitlines() if "stored hello" in line)
    assert "[INFO]  plugin.sh: stored hello: " in line
    assert {"size=5", "@module=kv", "@caller=plugin.py:38"} < set(line.split())  # in any order: Go's maps have none
    assert (stored.stdout, tool("get", "hello").stdout) == ("", "world\n")
    assert tool("get", "nothing").stdout == "error: rpc error: code = NotFound desc = no such key: nothing\n"


@requirement("us.debug")
def test_the_whole_plugin_runs_in_a_terminal_for_hosts_that_attach(directory: Path) -> None:
    (directory / "plugin.py").write_text(WHOLE)
    command = [sys.executable, "-m", "goplugin", "run", "--debug", "plugin.py"]
    with subprocess.Popen(command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as it:
        assert it.stdout is not None
        config = ReattachConfig.from_json(it.stdout.readline())
        with contextlib.closing(channel_to(config.network, config.address)) as channel:
            channel.unary("/proto.KV/Put", b"\n\x05hello\x12\x05world", timeout=20.0)
        it.send_signal(signal.SIGINT)

        assert it.wait(20.0) == 0
    assert (directory / "kv.db").exists()


def test_the_test_of_the_whole_plugin_passes(directory: Path) -> None:
    (directory / "plugin.py").write_text(WHOLE)
    (directory / "test_plugin.py").write_text(TEST)
    (directory / "pytest.ini").touch()      # or a configuration in a directory above counts

    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_plugin.py"]
    ended = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=60.0)

    assert "1 passed" in ended.stdout, ended.stdout
