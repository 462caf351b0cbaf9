from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.declarations import Signature, declarations, signature, signature_of
from jsbridge.binary import bytes_capability
from jsbridge.contract import ExportKind, ExportSpec, MethodSpec, ModuleManifest
from tests.support import requirement

GET = MethodSpec("get", "", "Look it up.\n\nget(key: str, fallback: str | None = None) -> str | None", ("kv", "lookup"))
STORE = ExportSpec("store", ExportKind.OBJECT, "Keys and values */ of all kinds", (GET, MethodSpec("weird name-1")))
READ = ExportSpec("read", ExportKind.FUNCTION, "")
MANIFEST = ModuleManifest("plugin:x", "v1", (READ, STORE), (bytes_capability("read", ""),), "An example")


@requirement("ow.dts")
def test_a_manifest_becomes_declarations() -> None:
    assert declarations(MANIFEST) == '''\
// plugin:x v1: written by `python -m host dts`
/** An example */
declare module "plugin:x" {
  type Call<A extends any[], R> = {
    (...args: A): R;
    async(...args: A): Promise<R>;
    with(options: { timeout?: number; signal?: { readonly aborted: boolean } }): Call<A, R>;
  };
  const module: {
    read: Call<[...args: any[]], Uint8Array>;
    /** Keys and values *\\/ of all kinds */
    store: {
      /**
       * Look it up.
       *
       * get(key: str, fallback: str | None = None) -> str | None
       *
       * Tags: kv, lookup
       */
      get: Call<[key: string, fallback?: string | null], string | null>;
      "weird name-1": Call<[...args: any[]], any>;
    };
  };
  export = module;
}
'''


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("f()", "(): any"),
        ("f() -> None", "(): null"),
        ("f(a: int, b: float = 2.5) -> bool", "(a: number, b?: number): boolean"),
        ("f(a?: string): number", "(a?: string): number"),
        ("`obj.f(a: str) -> str`", "(a: string): string"),
        ("- f(a: list[str], b: dict[str, float]) -> list[dict[str, int]]",
         "(a: string[], b: Record<string, number>): Record<string, number>[]"),
        ("f(a: Array<string | number>): string[]", "(a: (string | number)[]): string[]"),
        ("f(*rest: str) -> bytes", "(...rest: string[]): Uint8Array"),
        ("f(...rest: string[]): void", "(...rest: string[]): void"),
        ("f(a=1, b) -> str", "(a: any, b: any): string"),
        ('f(a: str = ", )") -> str.', "(a?: string): string"),
        ("f(a: Optional[str], b: Union[int, None])", "(a: string | null, b: number | null): any"),
        ("f(a: Strange[Thing], b: { x: number }) -> Odd", "(a: any, b: any): any"),
        ("f(a b: str) -> str", "(argument: string): string"),
        ("f(a: dict, b: list) -> dict", "(a: Record<string, any>, b: any[]): Record<string, any>"),
    ],
)
@requirement("ow.dts")
def test_a_signature_in_the_documentation_gives_the_types(line: str, wanted: str) -> None:
    found = signature("f", f"What it does.\n\n    {line}\n\nMore.")

    assert (str(found), found.known) == (wanted, True)


@pytest.mark.parametrize("doc", ["", "Calls f(x) and more", "g(a: str) -> str", "f", "f(a: str"])
def test_without_a_signature_of_its_own_a_function_takes_and_gives_anything(doc: str) -> None:
    assert signature("f", doc) == Signature()


def test_what_the_documentation_says_goes_before_the_capability() -> None:
    says = READ._replace(doc="read() -> str")

    assert signature_of(MANIFEST, READ).result == "Uint8Array"
    assert signature_of(MANIFEST, says).result == "string"
    assert signature_of(MANIFEST, STORE, GET).result == "string | null"


texts = st.text(max_size=30)


@given(texts, texts, texts)
def test_no_name_and_no_documentation_breaks_out_of_its_place(name: str, doc: str, line: str) -> None:
    export = ExportSpec(name, ExportKind.FUNCTION, f"{doc}\n{name}({line}) -> {line}")

    text = declarations(ModuleManifest(name, doc, (export,), (), doc))

    code = re.sub(r"/\*\*.*?\*/", "", text, flags=re.DOTALL)
    code = re.sub(r'"(?:[^"\\]|\\.)*"', '""', code.partition("\n")[2] if text.startswith("//") else code)
    assert (code.count("{"), code.count("}")) == (5, 5)
    assert text.splitlines()[0].startswith("// ")


@pytest.mark.skipif(shutil.which("tsc") is None, reason="needs TypeScript's compiler")
def test_the_compiler_takes_them(tmp_path: Path) -> None:
    (tmp_path / "x.d.ts").write_text(declarations(MANIFEST))
    use = 'import x = require("plugin:x"); const a: string | null = x.store.get("k"); x.store.get.async("k", null);'
    use += 'x.store.get.with({ timeout: 500 }).async("k");'
    (tmp_path / "use.ts").write_text(use)

    command = ["tsc", "--noEmit", "--strict", "--module", "commonjs", "x.d.ts", "use.ts"]
    subprocess.run(command, cwd=tmp_path, check=True)
