"""What is read from a module's bytes is held against what the engine says, where that can be asked."""
from __future__ import annotations

import pytest
import wasmtime
from hypothesis import given
from hypothesis import strategies as st

from goplugin.core.errors import LaunchError
from goplugin.wasm import CALL_SIGNATURE, Module, Signature, WasmConfig
from goplugin.wasm.signatures import read_functions
from tests.goplugin.wasm.modules import HEAP, UNCACHED, assemble, bench_bytes

KINDS = st.lists(st.sampled_from(["i32", "i64", "f32", "f64", "funcref", "externref"]), max_size=4)


def signature(type_: wasmtime.FuncType) -> Signature:
    return Signature(tuple(map(str, type_.params)), tuple(map(str, type_.results)))


def test_the_engine_sees_the_same_functions() -> None:
    module = wasmtime.Module(wasmtime.Engine(), bench_bytes())

    found = read_functions(bench_bytes())

    assert found.imports == {
        (each.module, each.name): signature(each.type)
        for each in module.imports
        if isinstance(each.type, wasmtime.FuncType)
    }
    assert found.exports == {
        each.name: signature(each.type) for each in module.exports if isinstance(each.type, wasmtime.FuncType)
    }


@given(KINDS, KINDS)
def test_a_signature_is_written_as_in_the_text_format(parameters: list[str], results: list[str]) -> None:
    type_ = f"(param {' '.join(parameters)}) (result {' '.join(results)})"

    found = read_functions(assemble(f'(import "m" "f" (func {type_}))(export "g" (func 0))'))

    assert found == ({("m", "f"): (tuple(parameters), tuple(results))}, {"g": (tuple(parameters), tuple(results))})


def test_what_is_imported_besides_functions_does_not_count() -> None:
    found = read_functions(assemble(
        '(type $t (func))',
        '(import "env" "table" (table 1 2 funcref))',
        '(import "env" "memory" (memory 1))',
        '(import "env" "global" (global (mut i64)))',
        '(import "env" "typed" (global (ref null $t)))',
        '(import "env" "call" (func (param i32 i32) (result i64)))',
        '(func $own)',
        '(export "own" (func $own)) (export "call" (func 0)) (export "m" (memory 0))',
    ))  # fmt: skip

    assert found.imports == {("env", "call"): CALL_SIGNATURE}
    assert found.exports == {"own": Signature((), ()), "call": CALL_SIGNATURE}


@pytest.mark.parametrize(
    ("parameter", "written"),
    [("v128", "v128"), ("(ref func)", "(ref func)"), ("(ref null $t)", "(ref null 0)")],
)
def test_types_that_the_engine_cannot_name_do_no_harm(parameter: str, written: str) -> None:
    """The engine's C API ends the process when it is asked for one of these."""
    content = assemble("(type $t (func))", HEAP, f'(func (export "odd") (param {parameter}))')
    module = Module.load(content, UNCACHED)

    assert module.inspect().exports["odd"] == Signature((written,), ())
    module.instantiate().close()
    importing = assemble("(type $t (func))", f'(import "env" "odd" (func (param {parameter})))', HEAP)
    with pytest.raises(LaunchError, match=r"imports what no host module offers: env\.odd"):
        Module.load(importing, UNCACHED).instantiate()


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ("(type (struct))", "type of the form 0x5f"),
        ('(import "env" "memory" (memory i64 1))', "limits with the flags 0x4"),
        ('(import "env" "tag" (tag))', "import of the kind 0x4"),
    ],
)
def test_a_proposal_that_only_the_engine_knows_is_refused(part: str, text: str) -> None:
    def allow(settings: wasmtime.Config) -> None:
        settings.wasm_gc = settings.wasm_memory64 = settings.wasm_exceptions = True

    with pytest.raises(LaunchError, match=f"has what no plugin needs: {text}"):
        Module.load(assemble(part), WasmConfig(cache_dir="", engine=allow))
