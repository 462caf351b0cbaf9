"""Rules that hold for the files of the project, whatever is in them."""
from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("goplugin", "jsbridge", "host")
LOCKS = re.compile(r"(requirements.*\.txt|.*\.lock|go\.sum|.*-lock\.(json|yaml))$")
MEBIBYTE = 1 << 20
SAVED_FILE = re.compile(r"^```python\n(?:#!.*\n)?# (\w+)\.py\b", re.MULTILINE)
HOME_OF_A_MACHINE = re.compile(r"(?<![\w.~-])/(?:root|work|home/\w+|Users/\w+)/")


@pytest.fixture(scope="module")
def files() -> list[Path]:
    """What is tracked by git, or would be after `git add .`"""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    command = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    return [path for name in listing.split("\0") if name and (path := ROOT / name).is_file()]


def public_modules() -> list[Path]:
    """Every module and package that a user may import by name."""
    modules = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    names = [path.relative_to(ROOT).with_suffix("").as_posix().removesuffix("/__init__") for path in modules]
    return [path for path, name in zip(modules, names, strict=True) if "/_" not in name]


def defined_names(tree: ast.Module) -> list[str]:
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return [node.name for node in tree.body if isinstance(node, definitions) and not node.name.startswith("_")]


def exported_names(tree: ast.Module) -> list[str] | None:
    """The value of __all__, or None if there is none."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return ast.literal_eval(node.value)
    return None


def test_no_file_is_larger_than_a_mebibyte(files: list[Path]) -> None:
    assert [path for path in files if path.stat().st_size > MEBIBYTE] == []


def test_no_file_names_a_directory_of_a_machine(files: list[Path]) -> None:
    texts = ((path, path.read_bytes().decode("utf-8", "replace")) for path in files)

    assert [path for path, text in texts if HOME_OF_A_MACHINE.search(text)] == []


def test_no_file_that_a_page_has_its_reader_save_hides_a_module() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "host" / "help").glob("*.md")]
    saved = {name for page in pages for name in SAVED_FILE.findall(page.read_text("utf-8"))}

    assert {"call_greeter", "greeter", "plugin"} <= saved
    assert saved & {*PACKAGES, *sys.stdlib_module_names} == set()


def test_no_lock_file_names_a_host(files: list[Path]) -> None:
    locks = [path for path in files if LOCKS.fullmatch(path.name)]

    assert locks
    assert [path for path in locks if re.search(r"https?:", path.read_text("utf-8"))] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_says_that_it_is_typed(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()


@pytest.mark.parametrize("path", public_modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_public_module_has_a_docstring_and_exports_what_it_defines(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))

    assert ast.get_docstring(tree)
    exported = exported_names(tree)
    if exported is None:
        assert path.name == "__init__.py", "no __all__"
    assert set(defined_names(tree)) <= set(exported or ())
