"""What an installed wheel puts on the path, beside a program's own ``serve``, ``kg`` and ``pipelines``.

The tree is built as ``pip install`` builds it and installed into an environment of its own, which borrows the
dependencies of the one that runs the tests.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("kg", "pipelines", "serve")
VENV = ("bin", "lib") if os.name != "nt" else ("Scripts", "Lib")
COMMANDS = (
    ["graphrec", "--version"],
    ["graphrec", "--help"],
    ["graphrec", "doctor"],
    ["python", "-c", "from graphrec import Engine"],
    ["python", "-c", "import graphrec.kg.terms, graphrec.pipelines.config.load, graphrec.serve"],
)


def build(tree: Path, kind: str, into: Path) -> Path:
    """Return the wheel or sdist of ``tree``, built by the backend that pyproject.toml names, without a network."""
    code = f"import sys; from setuptools import build_meta; print(build_meta.build_{kind}(sys.argv[1]))"
    run = subprocess.run([sys.executable, "-c", code, str(into)], cwd=tree, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return into / run.stdout.splitlines()[-1]


def wheel_files(wheel: Path) -> set[str]:
    """Return the files of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the sources, links as links, so that a build leaves nothing behind in the checkout."""
    copy = tmp_path_factory.mktemp("source") / "graphrec"
    passed_over = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "*-out", "tests")
    shutil.copytree(ROOT, copy, symlinks=True, ignore=passed_over)
    return copy


@pytest.fixture(scope="session")
def wheel(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tree, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an environment that holds the wheel, and sees the dependencies of this one but not its graphrec."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, with_pip=False, symlinks=os.name != "nt")
    python = str(home / VENV[0] / "python")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(pip, check=True, capture_output=True)
    (site,) = home.glob(f"{VENV[1]}/**/site-packages")
    # A plain line of a .pth file adds the folder without reading that folder's own .pth files, so without the checkout.
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return home


def run(environment: Path, command: list[str], directory: Path, path: Path | None = None) -> str:
    """Return what a command of the environment prints, run in ``directory`` with ``path`` as PYTHONPATH."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    if path is not None:
        variables["PYTHONPATH"] = str(path)
    program = [str(environment / VENV[0] / command[0]), *command[1:]]
    done = subprocess.run(program, cwd=directory, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def modules() -> set[str]:
    """Return every file of the four packages as a wheel names it."""
    rooms = {"graphrec": ROOT / "graphrec", **{f"graphrec/{room}": ROOT / room for room in ROOMS}}
    return {
        f"{prefix}/{file.relative_to(folder).as_posix()}"
        for prefix, folder in rooms.items()
        for file in folder.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }


def outside(files: Iterable[str]) -> set[str]:
    """Return the first parts of the names of files."""
    return {name.partition("/")[0] for name in files}


def test_the_extra_all_brings_every_extra_that_a_user_may_want() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    (brought,) = extras["all"]
    assert set(brought.removeprefix("graphrec[").removesuffix("]").split(",")) == set(extras) - {"all", "bench", "dev"}


def test_the_wheel_holds_one_package_and_all_of_its_files(wheel: Path) -> None:
    files = wheel_files(wheel)
    head = "-".join(wheel.name.split("-")[:2])
    assert outside(files) == {"graphrec", f"{head}.dist-info", f"{head}.data"}
    assert {name for name in files if name.startswith("graphrec/")} == modules()
    data = {name.partition("/data/")[2] for name in files if name.startswith(f"{head}.data/")}
    bundled = [file for file in (ROOT / "datasets").rglob("*") if file.is_file()]
    assert data == {f"share/graphrec/{file.relative_to(ROOT).as_posix()}" for file in bundled}


def test_the_sdist_holds_files_in_place_of_links_and_makes_the_same_wheel(
    tree: Path, wheel: Path, tmp_path: Path
) -> None:
    with tarfile.open(build(tree, "sdist", tmp_path)) as archive:
        assert not [entry.name for entry in archive.getmembers() if entry.issym() or entry.islnk()]
        archive.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    assert wheel_files(build(unpacked, "wheel", tmp_path)) == wheel_files(wheel)


def test_an_installed_wheel_is_reached_by_one_name(environment: Path, tmp_path: Path) -> None:
    code = (
        "import importlib.util, graphrec, sys;"
        f"print([name for name in {ROOMS} if importlib.util.find_spec(name)], graphrec.__file__)"
    )
    found, _, file = run(environment, ["python", "-c", code], tmp_path).strip().partition(" ")
    assert found == "[]"
    assert Path(file).is_relative_to(environment)


def test_an_installed_wheel_finds_its_data_sets(environment: Path, tmp_path: Path) -> None:
    code = "import graphrec; print(graphrec.datasets_directory() / 'goodbooks' / 'demo.toml')"
    config = Path(run(environment, ["python", "-c", code], tmp_path).strip())
    assert config.is_relative_to(environment)
    assert config.is_file()


@pytest.fixture(params=["files", "packages"])
def own(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a folder of somebody's own modules with the names of our rooms; each fails where it is imported."""
    for room in ROOMS:
        if request.param == "files":
            file = tmp_path / f"{room}.py"
        else:
            file = tmp_path / room / "__init__.py"
            file.parent.mkdir()
        file.write_text(f"raise RuntimeError('somebody imported the {room} of a program')\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("on_path", [False, True], ids=["cwd", "PYTHONPATH"])
def test_a_program_with_modules_of_these_names_breaks_nothing(environment: Path, own: Path, on_path: bool) -> None:
    for command in COMMANDS:
        run(environment, command, own, own if on_path else None)
    # The trap works: whoever imports one of these names gets the program's own.
    with pytest.raises(AssertionError, match="somebody imported the kg of a program"):
        run(environment, ["python", "-c", "import kg"], own)


@pytest.mark.parametrize("own", ["files"], indirect=True)
def test_every_module_is_imported_beside_modules_of_these_names(environment: Path, own: Path) -> None:
    code = (
        "import importlib, pkgutil, warnings, graphrec; warnings.simplefilter('ignore')\n"
        "for module in pkgutil.walk_packages(graphrec.__path__, 'graphrec.'):\n"
        "    if not module.name.endswith('__main__'): importlib.import_module(module.name)\n"
    )
    run(environment, ["python", "-c", code], own, own)
