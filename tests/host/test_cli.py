from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from goplugin import ConfigError, __version__
from host.cli import main, parse
from host.settings import Settings
from host.verbs.call import Call
from host.verbs.run import Run
from tests.support import requirement

from .outcome import RunHost
from .plugins import add_echo, add_shell

HOST = [sys.executable, "-m", "host"]


# --- the command line ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "argv",
    [
        ["--json", "--plugin-dir", "a,b", "--timeout", "3", "--strict", "call", "M", "E", "1", "-2"],
        ["call", "M", "E", "1", "-2", "--json", "--plugin-dir", "a", "--plugin-dir=b", "--strict", "--timeout=3"],
        ["--json", "call", "--plugin-dir", "a", "M", "--timeout", "3", "E", "1", "--strict", "-2", "--plugin-dir", "b"],
        ["--json", "call", "--plugin-dir", " a ,,b", "--strict", "--timeout", "3", "M", "E", "--", "1", "-2"],
    ],
)
@requirement("jm.discovery.flags")
def test_flags_stand_before_and_after_the_verb_and_among_its_arguments(argv: list[str]) -> None:
    verb = parse(argv)

    assert isinstance(verb, Call)
    assert (verb.module, verb.export, verb.args) == ("M", "E", ["1", "-2"])
    settings = verb.settings
    assert (settings.json, settings.plugin_dir, settings.timeout, settings.strict) == (True, ("a", "b"), 3, True)


def test_flags_have_defaults() -> None:
    assert parse(["list"]).settings == Settings()


def test_a_directory_with_a_comma_is_quoted() -> None:
    assert parse(["list", "--plugin-dir", '"a,b",c']).settings.plugin_dir == ("a,b", "c")


@requirement("jm.allowlist")
def test_allowed_modules_are_repeatable_and_comma_separated() -> None:
    argv = ["--allow-plugin-module", "plugin:a,plugin:b", "list", "--allow-plugin-module", "plugin:c"]

    assert parse(argv).settings.allow_plugin_module == ("plugin:a", "plugin:b", "plugin:c")


def test_behind_two_dashes_everything_belongs_to_the_script() -> None:
    verb = parse(["run", "script.js", "a", "--", "--json", "-h"])

    assert isinstance(verb, Run)
    assert (verb.args, verb.settings.json) == (["a", "--json", "-h"], False)


@pytest.mark.parametrize(
    "argv",
    [
        ["bogus"],
        ["eval"],
        ["eval", "1", "2"],
        ["list", "--bogus"],
        ["list", "--plug", "x"],
        ["list", "--plugin-dir"],
        ["list", "--timeout", "x"],
        ["list", "--timeout", "0"],
        ["list", "--timeout", "inf"],
        ["list", "--call-timeout", "-1"],
        ["version", "--all"],
    ],
)
def test_a_command_line_that_makes_no_sense_is_a_usage_error(run: RunHost, argv: list[str]) -> None:
    outcome = run(*argv)

    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("error: ")
    assert "\n  hint: " in outcome.err
    with pytest.raises(ConfigError):
        parse(argv)


def test_usage_errors_are_json_too(run: RunHost) -> None:
    outcome = run("list", "--bogus", "--json")

    assert (outcome.error["message"], outcome.error["exit_code"]) == ("unrecognized arguments: --bogus", 2)


def test_help_goes_to_stdout_and_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["call", "-h"])

    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: python -m host [FLAGS] call MODULE EXPORT[.METHOD] [ARG...]\n")
    assert "--plugin-dir DIR" in out


def test_without_a_verb_there_is_help_on_stderr_and_code_2() -> None:
    done = subprocess.run(HOST, capture_output=True, text=True)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: python -m host")


# --- the verbs -------------------------------------------------------------------------------------------------------


@requirement("jm.cli.eval")
@pytest.mark.parametrize(
    ("code", "text", "data"),
    [
        ('require("plugin:echo").ping("hello")', '"hello"', "hello"),
        ('const { strings } = require("plugin:echo"); strings.upper("x")', '"X"', "X"),
        ("({ a: [1, null], b: -0.5 })", "{ a: [ 1, null ], b: -0.5 }", {"a": [1, None], "b": -0.5}),
    ],
)
def test_eval_prints_the_last_value(run: RunHost, code: str, text: str, data: Any) -> None:
    assert run("eval", code).out == f"{text}\n"
    assert run("eval", code, "--json").json == data


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_eval_prints_nothing_for_undefined(run: RunHost, flags: list[str]) -> None:
    outcome = run("eval", "undefined", *flags)

    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")


@requirement("jm.cli.run")
def test_run_runs_a_script_with_its_arguments(run: RunHost, tmp_path: Path) -> None:
    script = tmp_path / "script.js"
    script.write_text(
        "console.log(require('plugin:echo').ping(process.argv.slice(2).join(' ')));\n"
        "console.error('talk');\n"
        "module.exports = 1;\n"
    )

    outcome = run("run", str(script), "a", "--json", "--", "--b")

    assert (outcome.code, outcome.out, outcome.err) == (0, "a --b\n", "talk\n")


@pytest.mark.parametrize(
    ("argv", "result"),
    [
        (["ping", '{"a": [1, 2.5]}'], {"a": [1, 2.5]}),
        (["ping", "-1"], -1),
        (["ping"], None),
        (["strings.upper", '"straße"'], "STRASSE"),
    ],
)
@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_call_prints_the_result_as_json(run: RunHost, argv: list[str], result: Any, flags: list[str]) -> None:
    outcome = run("call", "plugin:echo", *argv, *flags)

    assert (outcome.code, outcome.json) == (0, result)


@pytest.mark.parametrize("text", ["hello", "NaN", "'x'", "{a: 1}", "", "[" * 100_000])
def test_an_argument_of_call_that_is_not_json_is_a_usage_error(run: RunHost, text: str) -> None:
    outcome = run("call", "plugin:echo", "ping", "1", text)

    assert outcome.code == 2
    assert outcome.err.startswith(f"error: argument 2 of the call is not JSON: {text}\n  hint: ")


def test_list_shows_what_can_be_called_and_where_it_is(run: RunHost, directory: str) -> None:
    outcome = run("list")

    assert outcome.code == 0
    assert [re.split("  +", line) for line in outcome.out.splitlines()] == [
        ["MODULE", "VERSION", "KIND", "EXPORTS", "PATH"],
        [
            "plugin:echo",
            "v1",
            "process",
            "strings.upper, process.pid, process.crash, process.sleep, ping, fail",
            f"{directory}/goja-plugin-echo",
        ],
    ]


def test_list_gives_programs_the_whole_manifests(run: RunHost, directory: str) -> None:
    (module,) = run("list", "--json").json["modules"]

    exports = module.pop("exports")
    assert module == {
        "module": "plugin:echo",
        "version": "v1",
        "doc": "Answers tests.",
        "capabilities": ["tests"],
        "path": f"{directory}/goja-plugin-echo",
        "kind": "process",
    }
    assert exports[0] == {
        "name": "strings",
        "kind": "object",
        "doc": "Works on text.",
        "methods": [{"name": "upper", "summary": "Make it louder.", "doc": "Make it louder.", "tags": ["case"]}],
    }
    assert exports[2] == {"name": "ping", "kind": "function", "doc": "Give the first argument back."}


@requirement("jm.discovery.pattern", "jm.allowlist", "jm.report")
def test_list_all_shows_what_was_left_out_and_why(run: RunHost, directory: str, tmp_path: Path) -> None:
    path = add_shell(tmp_path, "x", "exit 1")
    os.chmod(path, 0o600)
    flags = ["--plugin-dir", str(tmp_path), "--allow-plugin-module", "plugin:other"]

    outcome = run("list", "--all", *flags)
    data = run("list", "--all", "--json", *flags).json

    left_out = [
        (path, f'plugin candidate "{path}" is not executable'),
        (f"{directory}/goja-plugin-echo", 'plugin module "plugin:echo" is not in the allowlist'),
    ]
    assert outcome.code == 0
    assert outcome.out.splitlines()[-5:] == [
        "Plugin candidates skipped: 1",
        f"  - {left_out[0][1]}",
        "Plugin modules loaded: 0",
        "Plugin modules refused: 1",
        f"  - {left_out[1][1]} <- {left_out[1][0]}",
    ]
    assert data["modules"] == []
    assert data["left_out"] == [{"path": file, "reason": reason} for file, reason in left_out]


def test_list_says_where_it_found_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--plugin-dir", str(tmp_path)]) == 0

    assert capsys.readouterr() == ("", f"no plugins found under {tmp_path}\n")


def test_list_says_what_it_skipped_where_nothing_is_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.chmod(add_shell(tmp_path, "noisy", ""), 0o600)
    add_shell(tmp_path, "old~", "")
    (tmp_path / "goja-plugin-gone").symlink_to("nowhere")
    skipped = (
        "skipped: goja-plugin-gone (no such file or directory)\n"
        "skipped: goja-plugin-noisy (not executable)\n"
        "skipped: goja-plugin-old~ (an editor's backup)\n"
    )

    assert main(["list", "--plugin-dir", str(tmp_path)]) == 0
    assert capsys.readouterr() == ("", f"no plugins found under {tmp_path}\n{skipped}")
    assert main(["call", "plugin:noisy", "x", "--plugin-dir", str(tmp_path)]) == 3
    assert "\n  skipped: goja-plugin-noisy (not executable)\n" in capsys.readouterr().err


def test_a_plugin_directory_that_is_none_is_a_warning(run: RunHost, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    flags = ["--plugin-dir", f"{tmp_path}/file,{tmp_path}/none"]

    outcome = run("call", "plugin:echo", "ping", *flags)

    assert (outcome.code, outcome.err.splitlines()) == (0, [
        f"warning: plugin-dir: {tmp_path}/file is no directory",
        f"warning: plugin-dir: {tmp_path}/none does not exist",
    ])
    assert json.loads(run("eval", "1", *flags, "--json").err.splitlines()[0]) == {
        "warning": {"message": f"plugin-dir: {tmp_path}/file is no directory"}
    }


def test_two_plugins_with_one_module_are_both_named(run: RunHost, directory: str, tmp_path: Path) -> None:
    again = add_echo(tmp_path, "again", "plugin:echo")

    outcome = run("eval", "1", "--plugin-dir", str(tmp_path))
    data = run("eval", "1", "--plugin-dir", str(tmp_path), "--json")

    paths = sorted([f"{directory}/goja-plugin-echo", again])
    names = ", ".join(map(os.path.basename, paths))
    assert outcome.err == f"warning: not loaded: {names} (`python -m host doctor` says why)\n"
    assert [each["path"] for each in json.loads(data.err)["warning"]["not_loaded"]] == paths


def test_version_prints_versions(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    assert capsys.readouterr().out.startswith(f"goplugin {__version__}\npython 3.")
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith(f"goplugin {__version__}\n")
    assert main(["--json", "version"]) == 0
    assert json.loads(capsys.readouterr().out)["goplugin"] == __version__


@pytest.mark.parametrize(
    ("argv", "absent"),
    [
        (["version"], {"anyio", "asyncio", "dukpy._dukpy", "grpclib"}),
        (["call", "plugin:echo", "ping"], {"dukpy._dukpy"}),
        (["list"], {"dukpy._dukpy"}),
        (["config", "show"], {"anyio", "asyncio", "attrs", "dukpy", "jsbridge", "logging", "tomllib"}),
        (["help"], {"anyio", "asyncio", "attrs", "dukpy", "jsbridge", "logging", "tomllib"}),
    ],
)
def test_a_verb_imports_only_what_it_needs(directory: str, argv: list[str], absent: set[str]) -> None:
    script = "import sys; from host.cli import main; main(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"

    done = subprocess.run(
        [sys.executable, "-c", script, "--plugin-dir", directory, *argv], capture_output=True, text=True, check=True
    )

    assert set(done.stderr.split()) & absent == set()


def test_what_plugins_say_is_shown_if_asked_for(run: RunHost, tmp_path: Path) -> None:
    before = "os.write(2, b'stray\\n'); print('early')"
    path = add_echo(tmp_path, "loud", "plugin:loud", before=before)
    flags = ["--plugin-dir", str(tmp_path), "call", "plugin:loud", "ping"]
    Path(path).write_text(Path(path).read_text().replace("def ping(call: Call) -> object:", _LOUD))

    silent = run(*flags)
    outcome = run(*flags, "--plugin-logs")
    logs = [json.loads(line)["log"] for line in run(*flags, "--plugin-logs", "--json").err.splitlines()]

    assert (silent.code, silent.out, silent.err) == (0, "null\n", "")
    assert (outcome.code, outcome.out) == (0, "null\n")
    assert {
        "goja-plugin-loud | stray",
        "plugin:loud | WARN  careful",
        "plugin:loud | printed",
        "plugin:loud | complained",
    } <= set(outcome.err.splitlines())
    assert {"plugin": "plugin:loud", "kind": "stdout", "text": "printed"} in logs


_LOUD = """\
def ping(call: Call) -> object:
    import logging

    logging.getLogger("loud").warning("careful")
    print("printed", flush=True)
    print("complained", file=sys.stderr, flush=True)"""


# --- exit codes ------------------------------------------------------------------------------------------------------

NOT_ALLOWED = '"plugin:echo" is not in the allowlist'


@requirement("jm.troubleshooting")
@pytest.mark.parametrize(
    ("argv", "code", "text"),
    [
        (["eval", "throw new TypeError('no')"], 1, "TypeError: no"),
        (["eval", "require('plugin:echo').fail('no')"], 1, "GoError: rpc error: code = Unknown desc = no"),
        (["eval", "require('plugin:echo').ping(function () {})"], 1, "TypeError: convert argument 0: function cannot"),
        (["call", "plugin:echo", "fail", '"no"'], 1, "rpc error: code = Unknown desc = no"),
        (["eval", "require('plugin:x')"], 3, "Cannot find module 'plugin:x'"),
        (["eval", "require('./x')"], 3, "Cannot find module './x'"),
        (["call", "plugin:x", "ping"], 3, "Cannot find module 'plugin:x'"),
        (["call", "plugin:echo", "pong"], 3, 'module "plugin:echo" has no export "pong"'),
        (["run", "/no/such/script.js"], 3, "there is no script /no/such/script.js"),
        (["run", "/"], 2, "/ is a directory, not a script"),
        (["run", "-"], 2, "- is not a file: a script is not read from stdin or a pipe"),
        (["run", "/dev/null"], 2, "/dev/null is not a file"),
        (["call", "plugin:echo", "process.crash", '"oh"'], 5, "rpc error: code = Unavailable desc = "),
        (["eval", "require('plugin:echo').process.crash('oh')"], 5, "GoError: rpc error: code = Unavailable desc = "),
        (["eval", "require('plugin:echo')", "--allow-plugin-module=plugin:x"], 6, f"plugin module {NOT_ALLOWED}"),
        (["call", "plugin:echo", "ping", "--allow-plugin-module=plugin:x"], 6, f"plugin module {NOT_ALLOWED}"),
        (["list", "--allow-plugin-module", "plugin:x", "--strict"], 6, "validate plugin manifest from "),
    ],
)
def test_errors_have_their_exit_codes_and_say_what_it_is(run: RunHost, argv: list[str], code: int, text: str) -> None:
    outcome = run(*argv, "--json")

    assert (outcome.code, outcome.out) == (code, "")
    assert outcome.error["exit_code"] == code
    assert text in outcome.error["message"]


def test_for_people_an_error_is_text(run: RunHost, directory: str) -> None:
    assert run("eval", "require('plugin:echo').fail('no')").err == (
        "error: GoError: rpc error: code = Unknown desc = no\n"
        "  stack:  at <eval>:1:24\n"
        f"  plugin: plugin:echo ({directory}/goja-plugin-echo)\n"
    )


@pytest.mark.parametrize(
    ("script", "code"), [("echo hello", 4), ("exit 1", 5), ("echo '1|1|unix|/x|netrpc|'; exec sleep 60", 4)]
)
def test_strictly_a_bad_plugin_fails_the_run_before_anything_else(
    run: RunHost, tmp_path: Path, script: str, code: int
) -> None:
    path = add_shell(tmp_path, "bad", script)

    outcome = run("eval", "console.log(1)", "--plugin-dir", str(tmp_path), "--strict")

    assert (outcome.code, outcome.out) == (code, "")
    assert outcome.err.startswith(f'error: start plugin "{path}": ')


def test_strictly_two_plugins_with_one_module_are_code_4(run: RunHost, tmp_path: Path) -> None:
    add_echo(tmp_path, "again", "plugin:echo")

    outcome = run("list", "--plugin-dir", str(tmp_path), "--strict")

    assert outcome.code == 4
    assert outcome.err.startswith('error: duplicate plugin module "plugin:echo" discovered at ')


def test_what_a_plugin_says_is_said_once_in_the_error(tmp_path: Path) -> None:
    add_echo(tmp_path, "bad", "plugin:bad", before="raise SystemError('no luck')")

    done = subprocess.run([*HOST, "--plugin-dir", str(tmp_path), "--strict", "list"], capture_output=True, text=True)

    assert done.returncode == 5
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("SystemError: no luck") == 1


# --- plugins that do not load ----------------------------------------------------------------------------------------

WARNING = "warning: not loaded: goja-plugin-bad (`python -m host doctor` says why)\n"


@pytest.mark.parametrize(
    ("argv", "out"),
    [
        (["eval", "require('plugin:echo').ping(1)"], "1\n"),
        (["call", "plugin:echo", "ping", "1"], "1\n"),
        (["list"], "MODULE "),
    ],
)
def test_what_does_not_load_is_said_in_a_line_and_the_run_goes_on(
    run: RunHost, tmp_path: Path, argv: list[str], out: str
) -> None:
    add_shell(tmp_path, "bad", "echo hello")

    outcome = run("--plugin-dir", str(tmp_path), *argv)

    assert (outcome.code, outcome.out[: len(out)], outcome.err) == (0, out, WARNING)


def test_for_programs_what_does_not_load_is_an_object_on_stderr(run: RunHost, tmp_path: Path) -> None:
    path = add_shell(tmp_path, "bad", "exit 3")

    outcome = run("--plugin-dir", str(tmp_path), "--json", "eval", "1")
    warning = json.loads(outcome.err)["warning"]

    assert (outcome.code, outcome.out) == (0, "1\n")
    assert warning["message"] == "plugin load errors: 1; loaded: 1"
    assert [each["path"] for each in warning["not_loaded"]] == [path]
    assert warning["not_loaded"][0]["reason"].startswith(f'start plugin "{path}": plugin exited before')


@requirement("jm.stderr")
@pytest.mark.parametrize("argv", [["eval", "require('plugin:bad')"], ["call", "plugin:bad", "x"]])
def test_who_requires_what_did_not_load_is_told_why(run: RunHost, tmp_path: Path, argv: list[str]) -> None:
    path = add_shell(tmp_path, "bad", "echo no library >&2; exit 3")

    outcome = run("--plugin-dir", str(tmp_path), *argv)

    assert outcome.code == 5
    head = f"{WARNING}error: Cannot find module 'plugin:bad'\n  start plugin \"{path}\": plugin exited before we could"
    assert outcome.err.startswith(head)
    assert "; plugin stderr: no library\n" in outcome.err
    assert re.search(r"\n  hint: +what it wrote to stderr says why", outcome.err)


# --- being ended -----------------------------------------------------------------------------------------------------

FOREVER = [
    "console.log('ready'); for (;;) {}",
    "const { process: p } = require('plugin:echo'); console.log('ready'); p.sleep(60)",
    "const { ping } = require('plugin:echo'); console.log('ready'); for (;;) { try { ping(1) } catch (e) {} }",
]


@requirement("jm.lifecycle")
@pytest.mark.parametrize("code", FOREVER)
@pytest.mark.parametrize(
    ("send", "signum", "exit_code"),
    [(os.killpg, signal.SIGINT, 130), (os.kill, signal.SIGTERM, 143)],  # a terminal's Ctrl-C reaches the plugins, too
)
def test_a_signal_ends_the_run_and_its_plugins(
    directory: str, code: str, send: Callable[[int, int], None], signum: signal.Signals, exit_code: int
) -> None:
    command = [*HOST, "--plugin-dir", directory, "--call-timeout", "60", "eval", code]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        plugins = descendants(process.pid)

        send(process.pid, signum)
        _, err = process.communicate()

    assert (process.returncode, err) == (exit_code, f"error: ended by {signum.name}\n")
    assert len(plugins) == 1
    assert not any(Path(f"/proc/{pid}").exists() for pid in plugins)


def descendants(pid: int) -> list[str]:
    return [child for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]


@pytest.mark.parametrize("code", FOREVER)
def test_the_time_limit_ends_the_run_with_code_124(directory: str, code: str) -> None:
    command = [*HOST, "--plugin-dir", directory, "--json", "eval", code, "--timeout", "1", "--call-timeout", "60"]

    done = subprocess.run(command, capture_output=True, text=True)

    assert done.returncode == 124
    assert json.loads(done.stderr)["error"]["message"] == "the time limit of 1 s is over"


def test_the_time_limit_includes_the_start(tmp_path: Path) -> None:
    add_shell(tmp_path, "bad", "exec sleep 60")

    command = [*HOST, "--plugin-dir", str(tmp_path), "--timeout", "0.5", "list"]

    done = subprocess.run(command, capture_output=True, text=True)

    assert done.returncode == 124
    assert done.stderr == "error: the time limit of 0.5 s is over\n  hint: give it longer with --timeout\n"


def test_a_reader_that_goes_away_ends_the_run_quietly(directory: str) -> None:
    command = [*HOST, "--plugin-dir", directory, "eval", "for (;;) console.log(1)"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "1\n"
        process.stdout.close()
        assert process.stderr is not None
        err = process.stderr.read()

    assert (process.returncode, err) == (141, "")


@pytest.mark.parametrize("argv", [["eval", "console.log(1)"], ["list"], ["list", "-h"], ["--version"]])
def test_what_stdout_does_not_take_is_an_error_in_one_line(directory: str, argv: list[str]) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run([*HOST, "--plugin-dir", directory, *argv], stdout=full, stderr=subprocess.PIPE, text=True)

    assert (done.returncode, done.stderr) == (1, "error: stdout: No space left on device\n")


@pytest.mark.parametrize(
    ("closed", "argv", "code", "err"),
    [
        (">&-", "eval 1", 1, "error: stdout: Bad file descriptor\n"),
        ("2>&-", "bogus", 2, ""),
    ],
)
def test_a_closed_stream_is_no_traceback(closed: str, argv: str, code: int, err: str) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$0" -m host {argv} {closed}', sys.executable], capture_output=True, text=True
    )

    assert (done.returncode, done.stdout, done.stderr) == (code, "", err)
