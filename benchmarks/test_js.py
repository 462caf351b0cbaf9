"""A function call in JavaScript that another process answers: the whole line."""
from __future__ import annotations

from pathlib import Path

from host import Runtime

from .fixture import Benchmark

CALLS = 100


def test_js_calls_a_plugin(benchmark: Benchmark, plugin_dir: Path) -> None:
    """100 calls in one script: entering the engine costs a garbage collection, which is not what a call costs."""
    with Runtime(plugin_dirs=[str(plugin_dir)]) as runtime:
        runtime.eval('const greeter = require("plugin:examples:greeter")')
        script = f'let reply; for (let i = 0; i < {CALLS}; i++) reply = greeter.greet("hello"); reply'

        reply = benchmark(runtime.eval, f"(() => {{ {script.replace('; reply', '; return reply')} }})()")

    assert reply == "hello, hello"


def test_js_enters_the_engine(benchmark: Benchmark, tmp_path: Path) -> None:
    """What the engine costs without a plugin, to be taken off the row above."""
    with Runtime(plugin_dirs=[str(tmp_path)]) as runtime:
        assert benchmark(runtime.eval, "1 + 1") == 2
