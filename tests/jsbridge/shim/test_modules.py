"""require(); see jsbridge/shim/modules.js."""
from __future__ import annotations

from pathlib import Path

import pytest

from jsbridge.engine import JSError
from tests.jsbridge.scripts import Session
from tests.support import requirement


def run(session: Session, directory: Path, files: dict[str, str]) -> list[str]:
    """What main.js prints, one of `files`."""
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    session.engine.run_file(directory / "main.js")
    return [line.removesuffix("\n") for line in session.stdout]


@requirement("jm.require")
def test_a_plugin_module_is_built_at_its_first_require_and_then_cached(session: Session) -> None:
    session.engine.eval("var first = require('plugin:echo'); first.mine = 1")

    assert session.engine.eval("require('plugin:echo') === first && require('plugin:echo').mine") == 1
    assert session.calls == []


def test_a_module_may_be_registered_while_the_script_runs(session: Session) -> None:
    assert session.error("require('plugin:later')").code == "MODULE_NOT_FOUND"

    session.install("plugin:later", f=lambda: 1)

    assert session.engine.eval("require('plugin:later').f()") == 1


@requirement("jm.export.function")
def test_a_function_export_is_called_with_its_name_and_no_method(session: Session) -> None:
    session.install("plugin:m", greet=lambda name: f"hello, {name}")

    assert session.engine.eval("require('plugin:m').greet('you')") == "hello, you"
    assert session.calls == [("greet", "", ["you"], 5.0)]


@requirement("jm.export.object")
def test_an_object_export_has_its_methods(session: Session) -> None:
    session.install("plugin:m", strings__upper=str.upper, strings__lower=str.lower)

    assert session.engine.eval("var m = require('plugin:m'); Object.keys(m.strings)") == ["upper", "lower"]
    assert session.engine.eval("m.strings.upper('a') + m.strings.lower('B')") == "Ab"
    assert [call[:2] for call in session.calls] == [("strings", "upper"), ("strings", "lower")]


def test_properties_are_in_the_order_of_the_manifest(session: Session) -> None:
    session.install("plugin:m", zeta=int, alpha__z=int, alpha__a=int, beta=int)

    assert session.engine.eval("var m = require('plugin:m'); Object.keys(m).concat(Object.keys(m.alpha))") == [
        "zeta", "alpha", "beta", "z", "a",
    ]


@pytest.mark.parametrize("name", ["weird name-1", "o.p", "constructor", "__proto__", "toString", "naïve", "then", "7"])
def test_names_are_used_verbatim(session: Session, name: str) -> None:
    session.register("plugin:m", {(name,): lambda: "function", ("object", name): lambda: "method"})

    assert session.engine.eval(f"var m = require('plugin:m'); var name = {name!r}; Object.keys(m).sort()") == sorted(
        [name, "object"]
    )
    own = "Object.getOwnPropertyDescriptor"
    assert session.engine.eval(f"[{own}(m, name).value(), {own}(m.object, name).value()]") == ["function", "method"]
    assert session.engine.eval("Object.getPrototypeOf(m) === Object.prototype") is True


def test_a_function_of_a_plugin_is_a_plain_property_and_no_constructor(session: Session) -> None:
    session.engine.eval("var m = require('plugin:echo'); var echo = m.echo")

    assert session.engine.eval("[typeof echo, echo.length, echo.name, echo.call({}, 5), echo.apply(null, [6])]") == [
        "function", 0, "echo", 5, 6,
    ]
    session.engine.eval("var d = Object.getOwnPropertyDescriptor(m, 'echo'); null")
    assert session.engine.eval("[d.writable, d.enumerable, d.configurable]") == [True, True, True]
    assert session.error("new echo()").name == "TypeError"
    assert session.error("m.nope()").name == "TypeError"


def test_a_module_that_is_not_there_names_itself(session: Session) -> None:
    error = session.error("require('plugin:x')")

    assert str(error) == "Error: Cannot find module 'plugin:x'"
    assert error.code == "MODULE_NOT_FOUND"


def test_the_engine_may_explain_why_a_plugin_module_is_not_there() -> None:
    session = Session(explain=lambda name: f"Searched for {name}:\n- /plugins")

    assert session.error("require('plugin:x')").message == (
        "Cannot find module 'plugin:x'\nSearched for plugin:x:\n- /plugins"
    )
    assert session.error("require('lodash')").message == "Cannot find module 'lodash'"


def test_a_refused_module_says_why(session: Session) -> None:
    session.registry.refuse("plugin:x", 'plugin module "plugin:x" is not in the allowlist')

    error = session.error("require('plugin:x')")

    assert str(error) == 'Error: plugin module "plugin:x" is not in the allowlist'
    assert error.code == "ERR_NOT_ALLOWED"


def test_the_script_may_catch_a_module_that_is_not_there(session: Session) -> None:
    code = "try { require('plugin:x') } catch (e) { [e.code, e instanceof Error, e.name] }"

    assert session.engine.eval(code) == ["MODULE_NOT_FOUND", True, "Error"]


@pytest.mark.parametrize("name", ["plugin:../echo", "plugin:echo/", "PLUGIN:echo", "echo", " plugin:echo"])
def test_a_name_is_never_cleaned_and_never_a_path(session: Session, name: str) -> None:
    assert session.error(f"require({name!r})").code == "MODULE_NOT_FOUND"


@pytest.mark.parametrize("argument", ["", "5", "null", "{}"])
def test_require_takes_a_string(session: Session, argument: str) -> None:
    assert session.error(f"require({argument})").name == "TypeError"


def test_a_script_is_a_commonjs_module(session: Session, tmp_path: Path) -> None:
    printed = run(session, tmp_path, {
        "main.js": """
            var inner = 1;
            console.log(typeof module, typeof exports, exports === module.exports, this === exports);
            console.log(require.main === module);
            console.log(__filename);
            console.log(__dirname);
            console.log(process.argv[1], process.argv.length);
            console.log(module.id, module.filename === __filename, module.loaded);
        """,
    })

    assert printed == [
        "object object true true",
        "true",
        str(tmp_path.resolve() / "main.js"),
        str(tmp_path.resolve()),
        f"{tmp_path / 'main.js'} 2",
        ". true false",
    ]
    assert session.engine.eval("typeof inner") == "undefined"


def test_files_are_required_relative_to_the_file_that_asks(session: Session, tmp_path: Path) -> None:
    printed = run(session, tmp_path, {
        "main.js": """
            console.log(require('./lib/a').name, require('./lib'), require('./data').list[1], require('./a.b').x)
        """,
        "lib/a.js": "exports.name = require('../b.js') + require('./c')",
        "lib/c.js": "module.exports = 'c'",
        "lib/index.js": "module.exports = 'index'",
        "b.js": "module.exports = 'b'",
        "data.json": '{"list": [1, 2]}',
        "a.b.js": "exports.x = require('plugin:echo').echo('plugin')",
    })

    assert printed == ["bc index 2 plugin"]


def test_a_file_is_evaluated_once(session: Session, tmp_path: Path) -> None:
    printed = run(session, tmp_path, {
        "main.js": "console.log(require('./a') === require('./a.js'), require('./a').n)",
        "a.js": "console.log('a'); exports.n = 1",
    })

    assert printed == ["a", "true 1"]


def test_modules_may_require_one_another(session: Session, tmp_path: Path) -> None:
    printed = run(session, tmp_path, {
        "main.js": "console.log(require('./a').done)",
        "a.js": "exports.early = 1; exports.done = require('./b').seen + 1",
        "b.js": "exports.seen = require('./a').early",
    })

    assert printed == ["2"]


def test_a_file_that_failed_may_be_required_again(session: Session, tmp_path: Path) -> None:
    printed = run(session, tmp_path, {
        "main.js": "globalThis.tries = 0; try { require('./a') } catch (e) {} console.log(require('./a'))",
        "a.js": "if (!tries++) throw new Error('first'); module.exports = tries",
    })

    assert printed == ["2"]


def test_a_file_that_is_not_there_names_who_asked(session: Session, tmp_path: Path) -> None:
    with pytest.raises(JSError) as caught:
        run(session, tmp_path, {"main.js": "require('./lib')", "lib.js": "require('./nope')"})

    assert caught.value.message == f"Cannot find module './nope'\nRequired by {tmp_path.resolve()}/lib.js"
    assert caught.value.code == "MODULE_NOT_FOUND"


def test_a_bad_json_file_is_named(session: Session, tmp_path: Path) -> None:
    with pytest.raises(JSError) as caught:
        run(session, tmp_path, {"main.js": "require('./data')", "data.json": "{,"})

    assert caught.value.name == "SyntaxError"
    assert caught.value.message.startswith(f"{tmp_path.resolve()}/data.json: ")


@pytest.mark.parametrize(("content", "code"), [(b"\xff", "EILSEQ"), (None, "MODULE_NOT_FOUND")])
def test_a_main_file_that_cannot_be_read_is_an_error(
    session: Session, tmp_path: Path, content: bytes | None, code: str,
) -> None:
    path = tmp_path / "main.js"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(JSError) as caught:
        session.engine.run_file(path)

    assert caught.value.code == code
    assert str(path) in caught.value.message


def test_an_interpreter_line_and_a_last_comment_do_no_harm(session: Session, tmp_path: Path) -> None:
    assert run(session, tmp_path, {"main.js": "#!/usr/bin/env node\nconsole.log(1) // end"}) == ["1"]


def test_a_script_is_not_strict_unless_it_says_so(session: Session, tmp_path: Path) -> None:
    assert run(session, tmp_path, {"main.js": "leaked = 010; console.log(leaked)"}) == ["8"]
    with pytest.raises(JSError, match="ReferenceError"):
        run(session, tmp_path, {"main.js": "'use strict'; lost = 1"})


def test_arguments_of_the_script_follow_its_path(session: Session, tmp_path: Path) -> None:
    (tmp_path / "main.js").write_text("console.log(process.argv.slice(2))")

    session.engine.run_file(tmp_path / "main.js", ["--a", "b c"])

    assert session.stdout == ['[ "--a", "b c" ]\n']


def test_code_that_is_no_file_requires_files_from_the_working_directory(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "x.js").write_text("module.exports = 5")
    monkeypatch.chdir(tmp_path)

    assert session.engine.eval("require('./x')") == 5
    assert session.error("require('x')").code == "MODULE_NOT_FOUND"


def test_import_finds_no_file(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.js").write_text("globalThis.imported = 1")
    monkeypatch.chdir(tmp_path)

    assert "cannot find module" in str(session.error("import('./x.js')"))
    assert session.engine.eval("typeof imported") == "undefined"


