from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from goplugin import Code, ConfigError, HandshakeError, LaunchError, PluginError, PluginLostError, RemoteError
from host import LoadError, NotFoundError, PolicyError, Runtime
from jsbridge.contract import ExportKind, ExportSpec, ModuleManifest
from jsbridge.engine import JSError
from jsbridge.manifest import ManifestError
from tests.support import requirement

from .plugins import add_echo, add_manifest, add_shell, children


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    before = children()
    yield
    assert children() == before


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with one good plugin."""
    directory = tmp_path_factory.mktemp("plugins")
    add_echo(directory, "echo", "plugin:echo")
    return directory


# --- a runtime at work -----------------------------------------------------------------------------------------------


@requirement("jm.require", "jm.lifecycle")
def test_javascript_calls_a_plugin_in_another_process(plugins: Path) -> None:
    with Runtime([str(plugins)]) as runtime:
        text = runtime.eval('const echo = require("plugin:echo"); echo.strings.upper(echo.ping("hello"))')
        pid = runtime.eval("echo.process.pid()")

        assert text == "HELLO"
        assert children() == {pid}
    assert children() == set()


@requirement("jm.cli.run")
def test_a_script_gets_its_arguments(plugins: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "script.js"
    script.write_text('console.log(require("plugin:echo").ping(process.argv.slice(2).join()))')

    with Runtime([str(plugins)]) as runtime:
        runtime.run_file(script, ["a", "--b"])

    assert capsys.readouterr().out == "a,--b\n"


def test_a_module_can_be_called_without_javascript(plugins: Path) -> None:
    with Runtime([str(plugins)]) as runtime:
        assert runtime.call("plugin:echo", "ping", args=[{"a": [1, None]}]) == {"a": [1, None]}
        assert runtime.call("plugin:echo", "strings", "upper", ["x"]) == "X"


def test_the_error_of_a_plugin_names_it(plugins: Path) -> None:
    with Runtime([str(plugins)]) as runtime, pytest.raises(RemoteError, match="desc = no luck") as caught:
        runtime.call("plugin:echo", "fail", args=["no luck"])

    assert caught.value.__notes__ == [f"plugin: plugin:echo ({plugins}/goja-plugin-echo)"]


@requirement("jm.report")
def test_the_report_says_what_was_loaded(plugins: Path) -> None:
    with Runtime([str(plugins)]) as runtime:
        assert runtime.report.summary() == "plugins loaded: plugin:echo"
        assert runtime.report.detail_lines()[-2:] == [
            f"  - plugin:echo (v1) <- {plugins}/goja-plugin-echo",
            "    exports: strings.upper, process.pid, process.crash, process.sleep, ping, fail",
        ]


def test_without_plugins_there_is_still_javascript(tmp_path: Path) -> None:
    with Runtime([str(tmp_path)]) as runtime:
        assert runtime.eval("1 + 1") == 2
        assert runtime.report.summary() == f"no plugins found under {tmp_path}"


@requirement("jm.timeouts")
def test_a_call_that_takes_too_long_fails_and_the_plugin_lives_on(plugins: Path) -> None:
    with Runtime([str(plugins)], call_timeout=0.3) as runtime:
        with pytest.raises(RemoteError) as caught:
            runtime.call("plugin:echo", "process", "sleep", [5])

        assert caught.value.code is Code.DEADLINE_EXCEEDED
        assert runtime.call("plugin:echo", "ping", args=[1]) == 1


@requirement("gp.crash")
def test_a_plugin_that_dies_is_an_error_and_leaves_the_others_alone(tmp_path: Path) -> None:
    add_echo(tmp_path, "a", "plugin:a")
    add_echo(tmp_path, "b", "plugin:b")

    with Runtime([str(tmp_path)]) as runtime:
        with pytest.raises(JSError) as caught:
            runtime.eval('require("plugin:a").process.crash("out of memory")')
        with pytest.raises(PluginLostError):
            runtime.call("plugin:a", "ping")

        assert isinstance(caught.value.__cause__, PluginLostError)
        assert caught.value.__cause__.__notes__[0] == f"plugin: plugin:a ({tmp_path}/goja-plugin-a)"
        assert runtime.call("plugin:b", "ping", args=["here"]) == "here"


@requirement("ow.parallel-start")
def test_plugins_start_side_by_side(tmp_path: Path) -> None:
    for name in ("a", "b"):
        os.mkfifo(tmp_path / name)
    # Neither prints its handshake before the other has been started.
    meet = "os.write(os.open({!r}, os.O_RDWR), b'!'); os.read(os.open({!r}, os.O_RDONLY), 1)"
    for own, other in (("a", "b"), ("b", "a")):
        before = meet.format(str(tmp_path / other), str(tmp_path / own))
        add_echo(tmp_path / "plugins", own, f"plugin:{own}", before)

    with Runtime([str(tmp_path / "plugins")]) as runtime:
        assert [module.name for module in runtime.modules] == ["plugin:a", "plugin:b"]


# --- plugins that do not load ----------------------------------------------------------------------------------------


def test_a_plugin_that_does_not_load_is_reported_and_the_others_work(tmp_path: Path) -> None:
    bad = add_shell(tmp_path, "bad", "echo hello; exec sleep 60")
    add_echo(tmp_path, "good", "plugin:good")

    with Runtime([str(tmp_path)]) as runtime:
        assert children() == {runtime.call("plugin:good", "process", "pid")}
        (failure,) = runtime.report.failures
        with pytest.raises(JSError) as caught:
            runtime.eval('require("plugin:bad")')
        with pytest.raises(NotFoundError) as called:
            runtime.call("plugin:bad", "ping")
        with pytest.raises(NotFoundError) as other:
            runtime.call("plugin:other", "ping")

    assert (failure.path, failure.module_name) == (bad, "")
    assert runtime.report.summary() == "plugin load errors: 1; loaded: 1"
    for error in (caught.value, called.value):
        assert error.__cause__ is failure.error
        assert f"Cannot find module 'plugin:bad'\n{failure.error}" in str(error)
    assert str(other.value).endswith(f"\nnot loaded:\n  {bad}")
    assert other.value.__cause__ is None


@requirement("jm.namespace", "jm.early-failure")
def test_a_module_with_a_bad_manifest_is_known_by_its_name_and_not_half_registered(tmp_path: Path) -> None:
    exports = (ExportSpec("f", ExportKind.FUNCTION), ExportSpec("g", ExportKind.UNSPECIFIED))
    add_manifest(tmp_path, "any", ModuleManifest("plugin:bad", exports=exports))

    with Runtime([str(tmp_path)]) as runtime:
        assert children() == set()
        assert len(runtime.modules) == 0
        with pytest.raises(JSError, match='export "g" has unspecified kind') as caught:
            runtime.eval('require("plugin:bad")')

    assert isinstance(caught.value.__cause__, LoadError)


@requirement("jm.unique")
def test_a_module_that_two_plugins_offer_belongs_to_neither(tmp_path: Path) -> None:
    first, second = (add_echo(tmp_path, name, "plugin:echo") for name in ("a", "b"))
    add_echo(tmp_path, "c", "plugin:other")
    text = f'duplicate plugin module "plugin:echo" discovered at "{first}" and "{second}"'

    with Runtime([str(tmp_path)]) as runtime:
        assert [module.name for module in runtime.modules] == ["plugin:other"]
        assert children() == {runtime.call("plugin:other", "process", "pid")}
        assert runtime.report.errors == (text,)
        with pytest.raises(NotFoundError, match="duplicate plugin module"):
            runtime.call("plugin:echo", "ping")


def test_single_files_are_loaded_instead_of_those_of_directories(tmp_path: Path, plugins: Path) -> None:
    path = add_echo(tmp_path, "other", "plugin:other")

    with Runtime([str(plugins)], plugin_files=[path]) as runtime:
        assert [module.name for module in runtime.modules] == ["plugin:other"]
        assert runtime.plugin("plugin:other").path == path


def test_the_loading_tells_how_far_it_is(tmp_path: Path) -> None:
    paths = [add_echo(tmp_path, name, f"plugin:{name}") for name in ("a", "b")]
    told: list[tuple[int, int, str]] = []
    runtime = Runtime([str(tmp_path)])

    runtime.load(lambda *progress: told.append(progress))
    runtime.close()

    assert told == [(0, 2, paths[0]), (1, 2, paths[1])]


# --- the end ---------------------------------------------------------------------------------------------------------


@requirement("jm.lifecycle")
@pytest.mark.parametrize("error", [ValueError("boom"), KeyboardInterrupt()])
def test_whatever_leaves_the_runtime_ends_the_plugins(plugins: Path, error: BaseException) -> None:
    def leave() -> None:
        with Runtime([str(plugins)]) as runtime:
            assert children() == {runtime.call("plugin:echo", "process", "pid")}
            raise error

    with pytest.raises(type(error)):
        leave()
    assert children() == set()


def test_a_closed_runtime_stays_closed(plugins: Path) -> None:
    with Runtime([str(plugins)]) as runtime:
        runtime.eval("1")
    runtime.close()

    with pytest.raises(RemoteError, match="code = Canceled"):
        runtime.call("plugin:echo", "ping")
    with pytest.raises(PluginError, match="closed"):
        runtime.eval("1")
    with pytest.raises(ConfigError, match="loaded before"):
        runtime.load()


def test_a_runtime_that_is_not_loaded_has_no_modules() -> None:
    with pytest.raises(ConfigError, match="with Runtime"):
        _ = Runtime().modules


# --- what is not there, and what is not allowed ----------------------------------------------------------------------


@requirement("jm.troubleshooting")
def test_a_module_that_is_not_installed_is_an_error_with_the_directories_searched(plugins: Path) -> None:
    text = f"Cannot find module 'plugin:x'\nsearched:\n  {plugins}"

    with Runtime([str(plugins)]) as runtime:
        with pytest.raises(JSError) as caught:
            runtime.eval('require("plugin:x")')
        with pytest.raises(NotFoundError) as called:
            runtime.call("plugin:x", "ping")

    assert (caught.value.message, caught.value.code) == (text, "MODULE_NOT_FOUND")
    assert str(called.value) == text


def test_without_any_directory_the_default_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    with Runtime() as runtime, pytest.raises(NotFoundError, match=r"no directory ~/\.go-go-goja/plugins"):
        runtime.call("plugin:x", "ping")


@pytest.mark.parametrize(
    ("export", "method", "name"), [("nope", "", "nope"), ("strings", "", "strings"), ("ping", "x", "ping.x")]
)
def test_an_export_that_is_not_there_is_an_error_that_names_the_others(
    plugins: Path, export: str, method: str, name: str
) -> None:
    with Runtime([str(plugins)]) as runtime, pytest.raises(NotFoundError) as caught:
        runtime.call("plugin:echo", export, method)

    assert str(caught.value) == f'module "plugin:echo" has no export "{name}"'
    assert caught.value.__notes__[0].startswith("exports: strings.upper, process.pid")


@requirement("jm.allowlist")
def test_a_module_outside_the_allowlist_is_closed_and_left_out(tmp_path: Path) -> None:
    add_echo(tmp_path, "a", "plugin:a")
    path = add_echo(tmp_path, "b", "plugin:b")
    text = 'plugin module "plugin:b" is not in the allowlist'

    with Runtime([str(tmp_path)], [" plugin:a ", ""]) as runtime:
        assert children() == {runtime.eval('require("plugin:a").process.pid()')}
        with pytest.raises(JSError) as caught:
            runtime.eval('require("plugin:b")')
        with pytest.raises(PolicyError) as called:
            runtime.call("plugin:b", "ping")

        assert (caught.value.message, str(called.value)) == (text, text)
        assert [(each.path, each.module_name, each.reason) for each in runtime.report.refused] == [
            (path, "plugin:b", text)
        ]


@requirement("jm.allowlist")
def test_a_module_outside_the_allowlist_is_closed_while_others_still_start(tmp_path: Path) -> None:
    note = str(tmp_path / "pid")
    write = f"open({note + '.new'!r}, 'w').write(str(os.getpid())); os.rename({note + '.new'!r}, {note!r})"
    add_echo(tmp_path, "b", "plugin:b", before=write)
    # The first by path, and the last to start: it waits for the end of the other's process.
    wait = f"""
while not os.path.exists({note!r}) or os.path.exists("/proc/" + open({note!r}).read()):
    time.sleep(0.01)"""
    add_echo(tmp_path, "a", "plugin:a", before=wait)

    with Runtime([str(tmp_path)], ["plugin:a"]) as runtime:
        assert [module.name for module in runtime.modules] == ["plugin:a"]


@requirement("jm.allowlist")
def test_strictly_a_module_outside_the_allowlist_fails_the_loading(plugins: Path) -> None:
    with pytest.raises(LoadError) as caught, Runtime([str(plugins)], ["plugin:a"], strict=True):
        pass

    assert str(caught.value) == (
        f'validate plugin manifest from "{plugins}/goja-plugin-echo": host validate manifest: '
        'plugin module "plugin:echo" is not in the allowlist'
    )
    assert isinstance(caught.value.cause, PolicyError)


def test_blank_names_are_no_allowlist(plugins: Path) -> None:
    with Runtime([str(plugins)], ["", " "]) as runtime:
        assert len(runtime.modules) == 1


def test_what_cannot_run_is_skipped_and_strictly_fails_before_anything_starts(tmp_path: Path) -> None:
    path = add_shell(tmp_path, "x", "exit 1")
    os.chmod(path, 0o600)

    with Runtime([str(tmp_path)]) as runtime:
        assert [skipped.path for skipped in runtime.report.skipped] == [path]
    with pytest.raises(PolicyError, match="is not executable"), Runtime([str(tmp_path)], strict=True):
        pass


# --- bad plugins -----------------------------------------------------------------------------------------------------

STAY = "exec sleep 60"


@requirement("jm.early-failure", "jm.stderr")
@pytest.mark.parametrize(
    ("script", "kind", "text"),
    [
        (f"echo hello there; {STAY}", HandshakeError, "Unrecognized remote plugin message: hello there"),
        (f"echo; {STAY}", HandshakeError, "Unrecognized remote plugin message: "),
        ("printf '1|1|unix'", HandshakeError, "Unrecognized remote plugin message: 1|1|unix"),
        ("echo no library >&2; exit 3", LaunchError, "plugin exited before we could connect"),
        (f"echo '2|1|unix|/x|grpc|'; {STAY}", HandshakeError, "incompatible core API version with plugin"),
        (f"echo '1|2|unix|/x|grpc|'; {STAY}", HandshakeError, "incompatible API version with plugin"),
        (f"echo '1|1|unix|/x|netrpc|'; {STAY}", HandshakeError, 'unsupported plugin protocol "netrpc"'),
        (f"echo '1|1|pipe|/x|grpc|'; {STAY}", HandshakeError, "unknown address type: /x"),
    ],
)
def test_a_plugin_that_does_not_start_strictly_fails_the_loading(
    tmp_path: Path, script: str, kind: type[PluginError], text: str
) -> None:
    path = add_shell(tmp_path, "bad", script)
    add_echo(tmp_path, "good", "plugin:good")
    runtime = Runtime([str(tmp_path)], strict=True)

    with pytest.raises(LoadError) as caught, runtime:
        pass

    assert str(caught.value).startswith(f'start plugin "{path}": {text}')
    assert str(caught.value).endswith("; plugin stderr: no library") == ("no library" in script)
    assert isinstance(caught.value.__cause__, kind)
    assert children() == set()
    assert runtime.report.errors == (str(caught.value),)
    assert runtime.report.summary() == "plugin load errors: 1; candidates: 2"
    with pytest.raises(ConfigError):
        _ = runtime.modules


def test_a_plugin_whose_interpreter_is_gone_strictly_fails_the_loading(tmp_path: Path) -> None:
    path = add_shell(tmp_path, "bad", "")
    Path(path).write_text("#!/no/such/interpreter\n")

    with pytest.raises(LoadError) as caught, Runtime([str(tmp_path)], strict=True):
        pass

    assert str(caught.value) == f'start plugin "{path}": fork/exec {path}: no such file or directory'


@requirement("jm.timeouts")
@pytest.mark.parametrize("script", [STAY, f"printf '1|1|unix|/x|grpc|'; {STAY}"])
def test_a_plugin_that_says_nothing_or_half_a_line_is_given_up_in_time(tmp_path: Path, script: str) -> None:
    path = add_shell(tmp_path, "bad", script)

    with pytest.raises(LoadError) as caught, Runtime([str(tmp_path)], start_timeout=0.3, strict=True):
        pass

    assert str(caught.value).startswith(f'start plugin "{path}": timeout while waiting for plugin to start')
    assert isinstance(caught.value.cause, LaunchError)


def test_of_several_errors_the_one_of_the_first_path_is_reported(tmp_path: Path) -> None:
    slow = add_shell(tmp_path, "a", f"sleep 0.2; echo '1|1|unix|/x|netrpc|'; {STAY}")
    add_shell(tmp_path, "b", "exit 1")

    with pytest.raises(LoadError) as caught, Runtime([str(tmp_path)], strict=True):
        pass

    assert caught.value.path == slow


@requirement("jm.early-failure")
def test_a_plugin_that_nobody_answers_for_strictly_fails_the_loading(tmp_path: Path) -> None:
    path = add_shell(tmp_path, "bad", f"echo '1|1|unix|{tmp_path}/nowhere|grpc|'; exec sleep 60")

    with pytest.raises(LoadError) as caught, Runtime([str(tmp_path)], strict=True):
        pass

    assert str(caught.value).startswith(f'read plugin manifest from "{path}": rpc error: code = Unavailable desc = ')
    assert isinstance(caught.value.cause, PluginLostError)


@requirement("jm.timeouts")
def test_a_plugin_that_never_tells_its_manifest_is_given_up_in_time(tmp_path: Path) -> None:
    path = add_manifest(tmp_path, "bad", ModuleManifest(), before="import time; time.sleep(60)")

    with pytest.raises(LoadError) as caught, Runtime([str(tmp_path)], call_timeout=0.3, strict=True):
        pass

    assert caught.value.stage == f'read plugin manifest from "{path}"'
    assert isinstance(caught.value.cause, RemoteError)
    assert caught.value.cause.code is Code.DEADLINE_EXCEEDED


@requirement("jm.early-failure", "jm.namespace")
@pytest.mark.parametrize(
    ("manifest", "text"),
    [
        (ModuleManifest(), "plugin manifest module name is empty"),
        (ModuleManifest("echo"), 'plugin module "echo" must use namespace "plugin:"'),
        (
            ModuleManifest("plugin:x", exports=(ExportSpec("f", ExportKind.UNSPECIFIED),)),
            'plugin module "plugin:x" export "f" has unspecified kind',
        ),
    ],
)
@pytest.mark.parametrize("allow", [(), ("plugin:x", "plugin:good")])
def test_a_bad_manifest_strictly_fails_the_loading(
    tmp_path: Path, manifest: ModuleManifest, text: str, allow: tuple[str, ...]
) -> None:
    path = add_manifest(tmp_path, "bad", manifest)
    add_echo(tmp_path, "good", "plugin:good")

    with pytest.raises(LoadError) as caught, Runtime([str(tmp_path)], allow, strict=True):
        pass

    stage = f'validate plugin manifest from "{path}": host validate manifest'
    assert (caught.value.stage, str(caught.value.cause)) == (stage, text)
    assert isinstance(caught.value.cause, ManifestError)


@requirement("jm.stderr")
def test_what_a_refused_plugin_said_on_stderr_is_part_of_the_error_up_to_4096_bytes(tmp_path: Path) -> None:
    before = "import os; os.write(2, b'begin' + b'x' * 4092 + b'end\\n')"
    add_manifest(tmp_path, "bad", ModuleManifest("echo"), before=before)

    with pytest.raises(LoadError) as caught, Runtime([str(tmp_path)], strict=True):
        pass

    assert str(caught.value).endswith('must use namespace "plugin:"; plugin stderr: ' + "x" * 4092 + "end")


@requirement("jm.unique", "jm.early-failure")
def test_two_plugins_with_one_module_strictly_fail_the_loading(tmp_path: Path) -> None:
    first, second = (add_echo(tmp_path, name, "plugin:echo") for name in ("a", "b"))
    runtime = Runtime([str(tmp_path)], strict=True)

    with pytest.raises(ManifestError) as caught, runtime:
        pass

    assert str(caught.value) == f'duplicate plugin module "plugin:echo" discovered at "{first}" and "{second}"'
    assert runtime.report.loaded == ()
