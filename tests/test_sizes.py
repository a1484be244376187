"""Files and functions short enough to read, and every public function explained."""

import ast
import statistics
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CODE = sorted(p for top in ("gantools", "apps", "benchmarks") for p in (ROOT / top).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
MAX_FILE, MAX_FUNCTION = 400, 60
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def length(node):
    """Return the lines of a function without its docstring and decorators."""
    text = node.body[0]
    has_text = isinstance(text, ast.Expr) and isinstance(getattr(text.value, "value", None), str)
    return (
        node.end_lineno - node.lineno + 1 - (text.end_lineno - text.lineno + 1 if has_text else 0)
    )


def functions(path):
    return [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, FUNCTIONS)]


@pytest.mark.parametrize("path", [*CODE, *TESTS], ids=lambda p: p.relative_to(ROOT).as_posix())
def test_file_and_functions_are_short(path):
    lines = len(path.read_text().splitlines())
    assert lines <= MAX_FILE
    long = {node.name: length(node) for node in functions(path) if length(node) > MAX_FUNCTION}
    assert not long


@pytest.mark.parametrize("path", CODE, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_public_functions_are_explained(path):
    tree = ast.parse(path.read_text())
    if path.name != "__init__.py" or tree.body:
        assert ast.get_docstring(tree), "the module has no docstring"
    public = [tree, *(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name[0] != "_")]
    silent = [
        node.name
        for parent in public
        for node in parent.body
        if isinstance(node, (*FUNCTIONS, ast.ClassDef))
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
        and not any(getattr(d, "attr", "") == "setter" for d in node.decorator_list)
    ]
    assert not silent


def test_medians(capsys):
    files = [len(path.read_text().splitlines()) for path in CODE]
    inner = [length(node) for path in CODE for node in functions(path)]
    median = statistics.median(files), statistics.median(inner)
    with capsys.disabled():
        sys.stdout.write(
            f"\n[sizes] {len(files)} files: median {median[0]:.0f} lines, longest {max(files)}; "
            f"functions: median {median[1]:.0f}, longest {max(inner)}\n"
        )
    assert median[0] <= 150
    assert median[1] <= 12
