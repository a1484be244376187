"""Who may import whom: the house's one direction, checked on the source, not on a run."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LIGHT = {
    "gantools.errors",
    "gantools.data",
    "gantools.metrics",
    "gantools.report",
    "gantools.record",
    "gantools.machine",
    "gantools.options",
}
# layer: the layers of gantools that it may import, besides itself
ALLOWED = {
    "gantools.errors": set(),
    "gantools.quiet": set(),
    "gantools.data": {"gantools.errors", "gantools.quiet"},
    "gantools.metrics": {"gantools.errors", "gantools.data"},
    "gantools.report": {"gantools.errors", "gantools.data"},
    "gantools.record": {"gantools", "gantools.errors", "gantools.data"},
    "gantools.machine": set(),
    "gantools.options": set(),
    "gantools.registry": {"gantools.errors"},
    "gantools.core": LIGHT,
    "gantools.nets": LIGHT | {"gantools.core"},
    "gantools.gans": LIGHT
    | {"gantools"}
    | {"gantools.core", "gantools.nets", "gantools.registry", "gantools.quiet"},
    "gantools.apps": LIGHT
    | {"gantools", "gantools.core", "gantools.nets", "gantools.gans"}
    | {"gantools.registry", "gantools.quiet"},
}
BACKENDS = {"tensorflow", "jax", "torch"}
MAY_NAME_BACKENDS = (
    "gantools/core/gradients.py",
    "gantools/core/parallel.py",
)
KERAS_FREE = LIGHT | {"gantools.cli", "gantools.registry", "gantools.doctor", "gantools.quiet"}


def sources():
    """Return dotted name -> path of every module, apps/ under its name in the package."""
    found = {}
    for path in sorted([*ROOT.glob("gantools/**/*.py"), *ROOT.glob("apps/**/*.py")]):
        parts = path.relative_to(ROOT).with_suffix("").parts
        parts = ("gantools", *parts) if parts[0] == "apps" else parts
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


SOURCES = sources()


def imports(name, tree):
    """Return the dotted names that a module imports anywhere, relative ones resolved."""
    package = name if SOURCES[name].name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            start = ".".join(above) + "." if node.level else ""
            base = (start + (node.module or "")).strip(".")
            yield base
            yield from (f"{base}.{a.name}" for a in node.names if f"{base}.{a.name}" in SOURCES)


def layer(name):
    """Return the layer of a module: "gantools.core" of "gantools.core.game"."""
    return ".".join(name.split(".")[:2])


def app(name):
    parts = name.split(".")
    return parts[2] if parts[:2] == ["gantools", "apps"] and len(parts) > 2 else None


@pytest.mark.parametrize("name", SOURCES)
def test_imports_go_one_way(name):
    path = SOURCES[name].relative_to(ROOT).as_posix()
    seen = set(imports(name, ast.parse(SOURCES[name].read_text())))
    outside = {module.partition(".")[0] for module in seen}
    named = outside & BACKENDS
    if path not in MAY_NAME_BACKENDS and not (
        path.startswith("apps/") and path.endswith("engine.py")
    ):
        assert not named, f"{path} may not name {named}"
    if layer(name) in KERAS_FREE:
        assert "keras" not in outside, f"{path} may not import keras"
    assert "*" not in seen
    house = {module for module in seen if module.partition(".")[0] == "gantools"}
    others = {layer(module) for module in house if module in SOURCES} - {layer(name)}
    if layer(name) in ALLOWED:
        assert others <= ALLOWED[layer(name)], f"{path} may not import {others}"
    if app(name):
        assert {app(m) for m in house} <= {None, app(name)}, f"{path} imports another application"


def test_no_cycles():
    graph = {}
    for name, path in SOURCES.items():
        tree = ast.parse(path.read_text())
        top = ast.Module([n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)], [])
        graph[name] = {m for m in imports(name, top) if m in SOURCES and m != name}
        # a package's __init__ and its modules may know each other
        graph[name] -= {
            m for m in graph[name] if m.startswith(name + ".") or name.startswith(m + ".")
        }
    TopologicalSorter(graph).prepare()


def test_folder_and_module_names():
    bad = {"utils", "common", "misc", "base", "manager", "helpers"}
    assert not {name for name in SOURCES if bad & set(name.split("."))}
