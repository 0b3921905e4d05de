"""What all house tests read: the repository's files, the source as syntax trees, and who imports whom."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "blindpo"
MODULES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))


def name(path: Path) -> str:
    """The path under the repository, as messages and test ids show it."""
    return path.relative_to(ROOT).as_posix()


def room(path: Path) -> str:
    """The path of a source file inside the package: `training/loss.py`."""
    return path.relative_to(PACKAGE).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of a file, parsed once."""
    return ast.parse(path.read_text())


def tracked() -> list[Path]:
    """Every file that git knows."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    return [path for name in listing.split("\0") if name and (path := ROOT / name).is_file()]


def dotted(path: Path) -> str:
    """The name by which a source file is imported."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def importers() -> dict[str, frozenset[str]]:
    """For each module, the modules of the package that import it, at the top or inside a function."""
    paths = {dotted(path): path for path in MODULES}
    importers_of: dict[str, set[str]] = {module: set() for module in paths}
    for module, path in paths.items():
        for imported in _imported(tree(path), known=frozenset(paths)):
            if imported != module:
                importers_of[imported].add(module)
    return {module: frozenset(names) for module, names in importers_of.items()}


def _imported(module: ast.Module, *, known: frozenset[str]) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                if submodule in known or node.module in known:
                    yield submodule if submodule in known else node.module


def bound_names(module: ast.Module) -> Iterator[tuple[str, int]]:
    """Every variable that is bound in a module, with its line: by =, :=, for, with, except, as a parameter.

    Fields of a class are no variables: `totals.found` says what was found by what stands before it.
    """
    fields = {
        field.target
        for node in ast.walk(module)
        if isinstance(node, ast.ClassDef)
        for field in node.body
        if isinstance(field, ast.AnnAssign)
    }
    for node in ast.walk(module):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node not in fields:
            yield node.id, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            yield node.name, node.lineno


def public_names(path: Path) -> list[str]:
    """Functions, classes and constants that a module defines for others."""
    names = []
    for node in tree(path).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.append(node.target.id)
    return [name for name in names if not name.startswith("_")]
