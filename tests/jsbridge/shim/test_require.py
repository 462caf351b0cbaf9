"""require(); see jsbridge/shim/require.js."""
from __future__ import annotations

from pathlib import Path

import pytest

from jsbridge.engine import JSError
from tests.jsbridge.scripts import Session


def run(session: Session, directory: Path, files: dict[str, str]) -> list[str]:
    """What main.js prints, one of `files`."""
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    session.engine.run_file(directory / "main.js")
    return [line.removesuffix("\n") for line in session.stdout]


def test_a_module_may_be_registered_while_the_script_runs(session: Session) -> None:
    assert session.error("require('plugin:later')").code == "MODULE_NOT_FOUND"

    session.install("plugin:later", f=lambda: 1)

    assert session.engine.eval("require('plugin:later').f()") == 1


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

    assert caught.value.message == "\n".join([
        "Cannot find module './nope'",
        "Require stack:",
        f"- {tmp_path.resolve()}/lib.js",
        f"- {tmp_path.resolve()}/main.js",
    ])
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


def test_packages_are_found_beside_the_script_and_above_it(session: Session, tmp_path: Path) -> None:
    printed = run(session, tmp_path, {
        "main.js": """
            console.log(require('plain').name, require('@scope/main'), require('modern/sub'), require('./lib/a'))
        """,
        "lib/a.js": "module.exports = require('plain').name + '!'",
        "node_modules/plain/index.js": "exports.name = require('./inner') + require('other')",
        "node_modules/plain/inner.js": "module.exports = 'inner'",
        "node_modules/plain/node_modules/other.js": "module.exports = ' of its own'",
        "node_modules/other.js": "module.exports = 'never'",
        "node_modules/@scope/main/package.json": '{"main": "lib"}',
        "node_modules/@scope/main/lib/index.json": '"scoped"',
        "node_modules/modern/package.json": '{"exports": {"./sub": {"import": "./no.mjs", "require": "./sub.cjs"}}}',
        "node_modules/modern/sub.cjs": "module.exports = 'sub'",
    })

    assert printed == ["inner of its own scoped sub inner of its own!"]


def test_what_a_package_does_not_offer_is_an_error_with_nodes_code(session: Session, tmp_path: Path) -> None:
    printed = run(session, tmp_path, {
        "main.js": "try { require('modern/inner') } catch (e) { console.log(e.code, e.message.split(' in ')[0]) }",
        "node_modules/modern/package.json": '{"exports": "./index.js"}',
        "node_modules/modern/inner.js": "",
    })

    assert printed == ["ERR_PACKAGE_PATH_NOT_EXPORTED Package subpath './inner' is not defined by \"exports\""]


def test_modules_in_a_circle_see_what_is_there_so_far(session: Session, tmp_path: Path) -> None:
    printed = run(session, tmp_path, {
        "main.js": "var a = require('./a'); console.log(a.seen, a.late)",
        "a.js": "exports.early = 1; var b = require('./b'); exports.seen = b.seen; exports.late = b.later()",
        "b.js": """
            var a = require('./a'); exports.seen = [a.early, a.late]; exports.later = function () { return a.seen }
        """,
    })

    assert printed == ["[ 1, undefined ] [ 1, undefined ]"]


def test_an_error_tells_its_require_stack(session: Session, tmp_path: Path) -> None:
    printed = run(session, tmp_path, {
        "main.js": "try { require('./a') } catch (e) { console.log(e.requireStack.indexOf(__filename)) }",
        "a.js": "require('nope')",
    })

    assert printed == ["1"]
    assert session.engine.eval("try { require('nope') } catch (e) { e.requireStack }") == []


def test_a_module_knows_its_place(session: Session, tmp_path: Path) -> None:
    printed = run(session, tmp_path, {
        "main.js": """
            var a = require('./lib/a');
            console.log(a.parent === module, module.children[0] === a, a.path === __dirname + '/lib', a.loaded);
            console.log(a.paths[0] === __dirname + '/lib/node_modules', module.parent);
            console.log(require('./lib/b').main === module);
            console.log(Object.keys(module).join());
        """,
        "lib/a.js": "module.exports = module; require('./b')",
        "lib/b.js": "exports.main = require.main",
    })

    assert printed == ["true true true true", "true null", "true", "id,path,filename,exports,loaded,children"]


def test_resolve_says_what_require_would_take(session: Session, tmp_path: Path) -> None:
    printed = run(session, tmp_path, {
        "main.js": """
            console.log(require.resolve('./a') === __dirname + '/a.js', require.resolve('plugin:echo'));
            console.log(require.resolve.paths('x')[0] === __dirname + '/node_modules');
            console.log(require.resolve.paths('plugin:echo'));
            console.log(require.resolve.paths('./x')[0] === __dirname);
            try { require.resolve('nope') } catch (e) { console.log(e.code) }
        """,
        "a.js": "throw new Error('not to be run')",
    })

    assert printed == ["true plugin:echo", "true", "null", "true", "MODULE_NOT_FOUND"]
    assert session.error("require.resolve(5)").name == "TypeError"


def test_the_cache_is_the_scripts_to_change(session: Session, tmp_path: Path) -> None:
    printed = run(session, tmp_path, {
        "main.js": """
            var path = require.resolve('./a'), first = require('./a');
            console.log(require.cache[path].exports === first, Object.keys(require.cache).length);
            delete require.cache[path];
            console.log(require('./a') !== first);
            require.cache[path] = {exports: 'replaced'};
            console.log(require('./a'));
        """,
        "a.js": "exports.x = 1",
    })

    assert printed == ["true 2", "true", "replaced"]


def test_an_es_module_is_refused_by_name(session: Session, tmp_path: Path) -> None:
    with pytest.raises(JSError, match="ES Module") as caught:
        run(session, tmp_path, {"main.js": "require('./a.mjs')", "a.mjs": "export default 1"})

    assert caught.value.code == "ERR_REQUIRE_ESM"


@pytest.mark.parametrize("text", ["import x from './x'", "var a\nexport default a", "  export {}"])
def test_a_file_that_looks_like_an_es_module_is_told(session: Session, tmp_path: Path, text: str) -> None:
    with pytest.raises(JSError) as caught:
        run(session, tmp_path, {"main.js": text})

    assert caught.value.name == "SyntaxError"
    assert caught.value.message.startswith(f"{tmp_path.resolve()}/main.js looks like an ES module, and scripts are")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("main.md", "import x from './x'"),
        ("main.js", "/*\nimport x\n*/ var a b"),
        ("main.js", "var text = `\nexport default a`; var a b"),
        ("main.js", "var a b;\nimport('x')"),
    ],
)
def test_what_only_has_such_a_word_does_not_look_like_one(
    session: Session, tmp_path: Path, name: str, text: str
) -> None:
    with pytest.raises(JSError) as caught:
        run(session, tmp_path, {"main.js": f"require('./{name}')" if name != "main.js" else text, name: text})

    assert caught.value.name == "SyntaxError"
    assert "ES module" not in caught.value.message


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("await 1", True),
        ("var a = async function () { await 1 }\nconst b = await a()", True),
        ("async function a() { await 1 }\nvar a b", False),
    ],
)
def test_a_file_with_await_at_top_level_is_told(session: Session, tmp_path: Path, text: str, told: bool) -> None:
    with pytest.raises(JSError) as caught:
        run(session, tmp_path, {"main.js": text})

    assert caught.value.message.startswith(f"{tmp_path.resolve()}/main.js has await outside of an async") == told


def test_a_file_that_failed_is_no_child(session: Session, tmp_path: Path) -> None:
    printed = run(session, tmp_path, {
        "main.js": "try { require('./a') } catch (e) {} console.log(module.children.length)",
        "a.js": "throw 1",
    })

    assert printed == ["0"]
