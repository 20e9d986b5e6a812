"""The layer rule: what each folder of csrc/ may include, and what the modules of allred/ may import."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# folder of csrc/ -> folders it may include beside itself. "transport/*" are the abstract headers that lie directly in
# transport/; a plain name is the whole folder. The entry for the innermost folder counts.
ABSTRACT_TRANSPORT = "transport/*"
CORE_LAYERS = ["common", "reduce", "schedule", "algorithms", "transport", "bootstrap", "engine"]
LAYERS: dict[str, list[str]] = {
    "common": [],
    "reduce": ["common"],
    "schedule": ["common"],
    "algorithms": ["common", "reduce", "schedule", ABSTRACT_TRANSPORT],
    "transport": ["common"],
    "bootstrap": ["common"],
    "engine": CORE_LAYERS,
    "bucketing": ["common", "engine"],
    "gpu": ["common", ABSTRACT_TRANSPORT],
    "floors": [],
    "bindings/floors": ["floors"],
    "bindings/core": [*CORE_LAYERS, "bucketing", "gpu"],
    "bindings/c10d": ["common", "engine", "bucketing", "gpu"],
}
# third-party headers -> folders that may include them
THIRD_PARTY = {"pybind11": ["bindings"], "Python.h": ["bindings"], "torch": ["bindings/c10d"]}
TORCH_PREFIXES = ("torch", "c10", "ATen")

MPI4PY_IMPORTERS = ["bootstrap.py"]
ENVIRONMENT_READERS = ["config.py"]
LOCAL_TRAINING = ["flat.py", "ranks.py", "averaging.py", "local_sgd.py", "diloco.py"]
TORCH_IMPORTERS = ["backend.py", "futures.py", "hooks.py", "ddp*", "cli/*bench*", "horovod/*", *LOCAL_TRAINING]

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"(?P<own>[^"]+)"|<(?P<system>[^>]+)>)')


def is_in(path: str, folder: str) -> bool:
    """Whether a file lies in `folder`, or directly in it where the folder is written "name/*"."""
    if folder.endswith("/*"):
        return str(Path(path).parent) == folder.removesuffix("/*")
    return path.startswith(f"{folder}/")


def layer_of(path: str) -> str | None:
    return max((layer for layer in LAYERS if is_in(path, layer)), key=len, default=None)


def own_include_rule(path: str, layer: str, included: str) -> str | None:
    allowed = [layer, *LAYERS[layer]]
    if any(is_in(included, folder) for folder in allowed):
        return None
    return f'{path} includes "{included}", but {layer}/ may include only {", ".join(allowed)}'


def system_include_rule(path: str, included: str) -> str | None:
    name = included.split("/")[0]
    name = "torch" if name in TORCH_PREFIXES else name
    folders = THIRD_PARTY.get(name)
    if folders is None or any(is_in(path, folder) for folder in folders):
        return None
    return f"{path} includes <{included}>, which only {', '.join(folders)} may"


def native_violations(csrc: Path) -> Iterator[str]:
    for file in sorted(csrc.rglob("*.[ch]pp")):
        path = file.relative_to(csrc).as_posix()
        layer = layer_of(path)
        if layer is None:
            yield f"csrc/{path}: its folder is not in the table of tests/test_layers.py"
            continue
        for number, line in enumerate(file.read_text().splitlines(), 1):
            if (found := INCLUDE.match(line)) is None:
                continue
            own, system = found["own"], found["system"]
            broken = own_include_rule(path, layer, own) if own else system_include_rule(path, system)
            if broken:
                yield f"csrc/{path}:{number}: {broken}"


def imported_packages(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name.split(".")[0] for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
        return [node.module.split(".")[0]]
    return []


def reads_environment(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom) and node.module == "os":
        return any(alias.name in ("environ", "getenv") for alias in node.names)
    return (
        isinstance(node, ast.Attribute)
        and node.attr in ("environ", "getenv")
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
    )


def run_on_import(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run when the module is imported: not those in functions, nor those for type checkers."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            continue
        yield node
        yield from run_on_import(node)


def python_rules_broken(path: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    def may(patterns: list[str]) -> bool:
        return any(fnmatchcase(path, pattern) for pattern in patterns)

    at_import = {id(node) for node in run_on_import(tree)}
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        packages = imported_packages(node)
        if "mpi4py" in packages and not may(MPI4PY_IMPORTERS):
            yield line, "only bootstrap.py imports mpi4py"
        if "mpi4py" in packages and id(node) in at_import:
            yield line, "mpi4py is imported inside the function that needs it, since importing it starts MPI"
        if "torch" in packages and id(node) in at_import and not may(TORCH_IMPORTERS):
            yield line, "torch is imported at the top only by the modules of TORCH_IMPORTERS"
        if reads_environment(node) and not may(ENVIRONMENT_READERS):
            yield line, "only config.py reads the environment"


def python_violations(package: Path) -> Iterator[str]:
    for file in sorted(package.rglob("*.py")):
        path = file.relative_to(package).as_posix()
        for line, rule in python_rules_broken(path, ast.parse(file.read_text())):
            yield f"allred/{path}:{line}: {rule}"


def test_csrc_obeys_the_layers() -> None:
    assert list(native_violations(ROOT / "csrc")) == []


def test_python_obeys_the_layers() -> None:
    assert list(python_violations(ROOT / "allred")) == []


def test_import_allred_does_not_import_torch_or_mpi4py() -> None:
    if find_spec("allred") is None or find_spec("allred._core") is None:
        pytest.skip("allred._core is not built")
    program = "import sys, allred; print(sorted({'torch', 'mpi4py'} & set(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("path", "line", "complaint"),
    [
        ("common/a.hpp", '#include "reduce/reduce.hpp"', "common/ may include only common"),
        ("algorithms/ring.cpp", '#include "transport/shm/segment.hpp"', "transport/*"),
        ("schedule/verify/a.cpp", '#  include "engine/work.hpp"', "schedule/ may include only schedule, common"),
        ("engine/a.cpp", '#include "work.hpp"', "engine/ may include only"),
        ("engine/a.cpp", "#include <pybind11/pybind11.h>", "which only bindings may"),
        ("bindings/core/a.cpp", "#include <c10/core/Device.h>", "which only bindings/c10d may"),
        ("novel/a.hpp", "", "not in the table"),
    ],
)
def test_a_native_violation_is_caught(tmp_path: Path, path: str, line: str, complaint: str) -> None:
    file = tmp_path / path
    file.parent.mkdir(parents=True)
    file.write_text(f"#include <vector>\n{line}\n")
    (violation,) = native_violations(tmp_path)
    assert violation.startswith(f"csrc/{path}:")
    assert complaint in violation


def test_the_abstract_transport_is_open_to_algorithms() -> None:
    assert own_include_rule("algorithms/direct/a.cpp", "algorithms", "transport/peer_memory.hpp") is None


@pytest.mark.parametrize(
    ("path", "source", "complaint"),
    [
        ("communicator.py", "def f():\n    from mpi4py import MPI\n", "only bootstrap.py"),
        ("bootstrap.py", "from mpi4py import MPI\n", "inside the function"),
        ("threads.py", "import torch.distributed as dist\n", "torch is imported at the top"),
        ("cli/main.py", "import os\nprint(os.environ['HOME'])\n", "only config.py"),
        ("cli/main.py", "from os import getenv\n", "only config.py"),
    ],
)
def test_a_python_violation_is_caught(tmp_path: Path, path: str, source: str, complaint: str) -> None:
    file = tmp_path / path
    file.parent.mkdir(exist_ok=True)
    file.write_text(source)
    (violation,) = python_violations(tmp_path)
    assert violation.startswith(f"allred/{path}:")
    assert complaint in violation


def test_torch_for_type_checkers_and_in_functions_is_allowed(tmp_path: Path) -> None:
    source = "if TYPE_CHECKING:\n    import torch\ndef f():\n    import torch\n"
    (tmp_path / "communicator.py").write_text(source)
    assert list(python_violations(tmp_path)) == []
