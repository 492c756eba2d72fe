"""The house rules, read from the source itself: arrows point down, heavy packages stay in their room.

    cli > server > api > workers > wiring > config > pipelines > datasets, sam, stores, bank, reports
        > ports > core > errors

Imports inside functions and under TYPE_CHECKING count like any other. `_version` is free for all.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "samdb"
FILES = sorted(PACKAGE.rglob("*.py"))

#: from the top down; a room may import the rows below its own, never its row's siblings
ROWS = (
    ("cli",),
    ("server",),  # the command line starts it
    ("api",),  # the Python API: what the command line does, in a few lines
    ("workers",),
    ("wiring",),
    ("config",),
    ("pipelines",),
    ("datasets", "sam", "stores", "bank", "reports"),
    ("ports",),
    ("core",),
    ("errors",),
)
LEVEL = {room: len(ROWS) - i for i, row in enumerate(ROWS) for room in row}

#: every package that is not Python's own, and the rooms that may import it
OWNERS: dict[str, frozenset[str]] = {
    package: frozenset(rooms.split())
    for package, rooms in {
        "torch": "sam bank",
        "segment_anything": "sam",
        "openvino": "sam",
        "httpx": "sam stores",  # sam: fetches weights; stores: what qdrant-client lets through is httpx's
        "certifi": "sam",  # the certificates that downloads trust
        "qdrant_client": "stores",
        "qdrant_edge": "stores",
        "grpc": "stores",
        "tenacity": "stores",
        "sklearn": "bank",
        "scipy": "bank",
        "pytorch_metric_learning": "bank",
        "safetensors": "bank",
        "threadpoolctl": "bank",
        "matplotlib": "reports",
        "umap": "reports",  # an extra: the second map of `probe`
        "yaml": "datasets",
        "pyarrow": "reports",
        "fiftyone": "reports",
        "PIL": "datasets sam reports",  # decoding, SAM's resize, and drawing
        "pycocotools": "core",
        "pydantic": "config server",
        "pydantic_settings": "config",
        "ray": "workers",
        "typer": "cli",
        "rich": "cli",
        "fastapi": "server",
        "uvicorn": "server",
        "starlette": "server",  # what FastAPI is made of
    }.items()
}
FREE = frozenset({"numpy", *sys.stdlib_module_names})
#: what the nouns and the plug points may know besides Python itself
NOUNS_KNOW = frozenset({"numpy", "pycocotools"})

#: who reads the environment besides config.py, and why that is sound
READS_ENVIRONMENT = {
    "cli/main.py": "torch reads how its idle threads wait from there, once",
    "sam/weights.py": "XDG_CACHE_HOME and LOCALAPPDATA say where this platform keeps caches",
    "workers/ray_cluster.py": "Ray has no other switch for telemetry and for loopback only",
}

VAGUE_NAMES = frozenset({"util", "utils", "helper", "helpers", "common", "misc"})
MAX_LINES = 400
TOP_LEVEL = frozenset(
    {
        "LICENSE",
        "README.md",
        "docker-compose.yml",
        "migrations",
        "pyproject.toml",
        "samdb",
        "scripts",
        "tests",
    }
)


@dataclass(frozen=True, slots=True)
class Import:
    """One import: the dotted module and the line it stands on."""

    module: str
    line: int


def imports_of(source: str, package: str = "samdb") -> list[Import]:
    """Every import of a source text, wherever it stands; `package` is what `from .` means there."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [Import(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = ".".join(([package] if node.level else []) + ([node.module] if node.module else []))
            # `from samdb import wiring` means samdb.wiring
            names = [f"{module}.{alias.name}" for alias in node.names] if module == "samdb" else [module]
            found += [Import(name, node.lineno) for name in names]
    return found


def room_of(module: str) -> str:
    """The room of a module of samdb: `samdb.stores.edge` -> `stores`."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def name_of(path: Path) -> str:
    """The path below the package, as messages show it."""
    return path.relative_to(PACKAGE).as_posix()


def module_of(path: Path) -> str:
    """The dotted name of a file."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def breaks_arrow(importer: str, imported: str) -> bool:
    """Whether `importer` (a room) must not import `imported` (a room)."""
    return importer != imported and LEVEL[importer] <= LEVEL[imported]


def all_imports() -> Iterator[tuple[Path, str, Import]]:
    """(file, its room, import) for the whole package but its front page `samdb/__init__.py`."""
    for path in FILES:
        if path.parent == PACKAGE and path.stem in ("__init__", "_version"):
            continue
        for found in imports_of(path.read_text("utf-8"), "samdb"):
            yield path, room_of(module_of(path)), found


def test_there_is_something_to_check() -> None:
    assert len(FILES) > 50


def test_imports_are_seen_wherever_they_stand() -> None:
    source = (
        "import torch.nn as nn\n"
        "from samdb import api, wiring\n"
        "def f():\n"
        "    from samdb.stores.edge import EdgeStore\n"
        "if TYPE_CHECKING:\n"
        "    import ray\n"
    )
    assert sorted(imports_of(source), key=lambda found: found.line) == [
        Import("torch.nn", 1),
        Import("samdb.api", 2),
        Import("samdb.wiring", 2),
        Import("samdb.stores.edge", 4),
        Import("ray", 6),
    ]


def test_an_arrow_that_points_up_or_aside_is_seen() -> None:
    assert breaks_arrow("core", "sam")
    assert breaks_arrow("sam", "stores")
    assert breaks_arrow("server", "cli")
    assert not breaks_arrow("cli", "server")
    assert not breaks_arrow("cli", "core")
    assert not breaks_arrow("sam", "sam")


def test_every_part_of_the_package_has_a_row() -> None:
    parts = {room_of(module_of(path)) for path in FILES} - {"__init__", "_version"}
    assert parts <= set(LEVEL), f"give {sorted(parts - set(LEVEL))} a row in tests/test_architecture.py"


def test_arrows_point_down() -> None:
    wrong = []
    for path, room, found in all_imports():
        target = room_of(found.module)
        if not found.module.startswith("samdb.") or target in ("_version", "__version__"):
            continue
        assert target in LEVEL, f"{name_of(path)}:{found.line} imports {found.module}, which is no room"
        if breaks_arrow(room, target):
            wrong.append(f"{name_of(path)}:{found.line}: {room} must not import {found.module}")
    assert not wrong, "\n".join(wrong)


def test_the_packages_front_page_tells_its_own_rooms_only_where_it_lies() -> None:
    wrong = [
        f"{name_of(path)}:{node.lineno}: samdb.{node.attr}"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "samdb"
        if node.attr != "__file__"
    ]
    assert not wrong, f"import the room itself instead: {wrong}"


def test_no_import_is_relative() -> None:
    wrong = [
        f"{name_of(path)}:{node.lineno}"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert not wrong, f"name the module in full: {wrong}"


def test_heavy_packages_stay_in_their_room() -> None:
    wrong = []
    for path, room, found in all_imports():
        package = found.module.split(".")[0]
        if package == "samdb" or package in FREE or room in OWNERS.get(package, ()):
            continue
        owners = ", ".join(sorted(OWNERS.get(package, ()))) or "no room: give it one in this test"
        wrong.append(f"{name_of(path)}:{found.line}: {package} belongs to {owners}")
    assert not wrong, "\n".join(wrong)


def test_the_nouns_and_the_ports_know_numpy_only() -> None:
    wrong = [
        f"{name_of(path)}:{found.line}: {found.module}"
        for path, room, found in all_imports()
        if room in ("errors", "core", "ports")
        and found.module.split(".")[0] not in NOUNS_KNOW | {"samdb", *sys.stdlib_module_names}
    ]
    assert not wrong, "\n".join(wrong)


def test_the_errors_import_nothing() -> None:
    assert imports_of((PACKAGE / "errors.py").read_text("utf-8")) == []


def test_only_config_reads_the_environment() -> None:
    wrong = []
    for path in FILES:
        if name_of(path) == "config.py" or name_of(path) in READS_ENVIRONMENT:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Attribute):
                names = {node.attr}
            elif isinstance(node, ast.ImportFrom):
                names = {alias.name for alias in node.names} if node.module == "os" else set()
            else:
                continue
            if names & {"environ", "environb", "getenv", "getenvb", "putenv"}:
                wrong.append(f"{name_of(path)}:{node.lineno}")
    assert not wrong, f"take it from Settings instead: {wrong}"


def test_the_exceptions_made_here_are_still_needed() -> None:
    for name in READS_ENVIRONMENT:
        assert "os.environ" in (PACKAGE / name).read_text("utf-8"), f"take {name} out of READS_ENVIRONMENT"


def test_no_module_has_a_name_that_says_nothing() -> None:
    folders = [ROOT / name for name in ("samdb", "migrations", "scripts", "tests")]
    paths = [path for folder in folders for path in folder.rglob("*")]
    assert not [str(p) for p in paths if p.stem.lower() in VAGUE_NAMES and "__pycache__" not in p.parts]


def test_no_file_is_longer_than_a_person_wants_to_read() -> None:
    long = {name_of(p): n for p in FILES if (n := len(p.read_text("utf-8").splitlines())) > MAX_LINES}
    assert not long, f"split at {MAX_LINES} lines: {long}"


def test_everything_public_says_what_it_is_for() -> None:
    silent = []
    for path in FILES:
        tree = ast.parse(path.read_text("utf-8"))
        # the package marker of a room may be empty of code, but not of words
        if not ast.get_docstring(tree):
            silent.append(f"{name_of(path)}: the module")
        silent += [f"{name_of(path)}:{node.lineno}: {node.name}" for node in undocumented(tree)]
    assert not silent, "\n".join(silent)


def undocumented(
    scope: ast.Module | ast.ClassDef,
) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Public classes, functions and methods below `scope` without a docstring."""
    for node in scope.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if node.name.startswith("_"):
            continue
        if not ast.get_docstring(node) and not speaks_elsewhere(node):
            yield node
        if isinstance(node, ast.ClassDef):
            yield from undocumented(node)


def speaks_elsewhere(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    """A property's setter is described by its getter, an overload by what it overloads."""
    return any(
        ast.unparse(d).split(".")[-1] in ("setter", "deleter", "overload") for d in node.decorator_list
    )


def test_no_function_swallows_arguments_it_does_not_name() -> None:
    wrong = [
        f"{name_of(path)}:{node.lineno}: {node.name}"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.args.kwarg
    ]
    assert not wrong, f"name the arguments instead of **: {wrong}"


def test_the_top_level_reads_like_the_readme() -> None:
    try:
        done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is no git checkout")
    top = {line.split("/")[0].strip('"') for line in done.stdout.splitlines()}
    strangers = sorted(name for name in top - TOP_LEVEL if not name.startswith("."))
    assert not strangers, f"the top level holds {sorted(TOP_LEVEL)} and dotfiles, nothing else: {strangers}"


@pytest.mark.skipif(not (PACKAGE / "cli" / "main.py").is_file(), reason="there is no command line yet")
@pytest.mark.parametrize("package", ["torch", "sklearn", "qdrant_client"])
def test_help_is_quick_because_it_imports_nothing_heavy(package: str) -> None:
    code = (
        "import sys\n"
        "from samdb.cli.main import main\n"
        "sys.argv = ['samdb', '--help']\n"
        "try:\n"
        "    main()\n"
        "except SystemExit:\n"
        "    pass\n"
        f"sys.exit(3 if {package!r} in sys.modules else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "ingest" in done.stdout, done.stderr
    assert done.returncode == 0, f"`samdb --help` imports {package}"
