"""What the generator refuses, through protoc: the text is what its user sees."""
from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import requirement

from .protoc import protoc

HEAD = 'syntax = "proto3";\npackage greeting;\nmessage M {}\n'
METHOD = "rpc Say(M) returns (M) {}"


@requirement("wa.codegen.refuse")
@pytest.mark.parametrize(
    ("source", "text"),
    [
        (
            "// go:plugin type=plugin\nservice Greeter { rpc Watch(M) returns (stream M) {} }",
            "greet.proto: Greeter.Watch: a stream cannot cross into WebAssembly",
        ),
        (
            "// go:plugin type=host\nservice Greeter { rpc Watch(stream M) returns (M) {} }",
            "greet.proto: Greeter.Watch: a stream cannot cross",
        ),
        (
            "// go:plugin type=plugin\nservice Foo { rpc BarBaz(M) returns (M) {} }\n"
            "// go:plugin type=plugin\nservice FooBar { rpc Baz(M) returns (M) {} }",
            "Foo.BarBaz and FooBar.Baz have one name in a module: both export foo_bar_baz",
        ),
        (
            "// go:plugin type=plugin\nservice Foo { rpc ApiVersion(M) returns (M) {} }",
            "Foo.ApiVersion and the version of Foo have one name in a module: both export foo_api_version",
        ),
        (
            "// go:plugin type=host\nservice Host { rpc HTTPGet(M) returns (M) {} rpc HttpGet(M) returns (M) {} }",
            "Host.HTTPGet and Host.HttpGet have one name in a module: both import http_get",
        ),
        (
            f"// go:plugin type=host\nservice A {{ {METHOD} }}\n// go:plugin type=host\nservice B {{ {METHOD} }}",
            "type=host can be defined only once, and A has it as well as B",
        ),
        (f"// go:plugin type=guest\nservice A {{ {METHOD} }}", 'A: unknown go-plugin type "guest"'),
        (f"// go:plugin type=plugin version=x\nservice A {{ {METHOD} }}", "A: invalid version: 'x'"),
        (
            'import "google/protobuf/descriptor.proto";\nextend google.protobuf.FileOptions { string x = 50000; }',
            "greet.proto: extensions not supported",
        ),
        (
            f"// go:plugin type=plugin\nservice A {{ {METHOD} }}\n// go:plugin type=plugin\nservice APlugin {{ }}",
            "greet.proto: APlugin would be the name of two classes",
        ),
        ("message Outer { message class {} }", "greet.proto: no Python class can be called Outer.class"),
    ],
)
def test_what_cannot_work_is_refused_when_it_is_generated(tmp_path: Path, source: str, text: str) -> None:
    result = protoc(tmp_path, HEAD.replace("message M", _imports(source) + "message M") + _without_imports(source))

    assert result.returncode != 0
    assert text in result.stderr
    assert not list((tmp_path / "out").iterdir())


@requirement("wa.codegen.options", "wa.codegen.refuse")
def test_an_option_that_means_nothing_here_is_refused(tmp_path: Path) -> None:
    result = protoc(tmp_path, HEAD, "module=example.com/x")

    assert result.returncode != 0
    assert "unknown option 'module=example.com/x'" in result.stderr


def test_words_without_a_meaning_are_worth_a_warning(tmp_path: Path) -> None:
    result = protoc(tmp_path, f"{HEAD}// go:plugin module=x type=host\nservice A {{ {METHOD} }}")

    assert result.returncode == 0
    assert "warning: greet.proto: A: ignored: module=x" in result.stderr


def _imports(source: str) -> str:
    return "".join(f"{line}\n" for line in source.splitlines() if line.startswith("import "))


def _without_imports(source: str) -> str:
    return "\n".join(line for line in source.splitlines() if not line.startswith("import "))


def test_a_file_that_no_module_can_be_named_after_is_refused(tmp_path: Path) -> None:
    result = protoc(tmp_path, HEAD, name="class/1.proto")

    assert result.returncode != 0
    assert "no Python code could import class.1_pb2" in result.stderr
