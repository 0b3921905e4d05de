"""The house rules that a machine can hold: sizes, names, docstrings, secrets, private paths."""

import ast
import re
import subprocess
import warnings
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "src").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
MANY_LINES, MOST_LINES = 500, 800
BANNED = re.compile(r"(^|/)(utils?|common|helpers?|misc|tools?)(\.py|/)")
PRIVATE = re.compile(
    r"(?<![\w.])/(?:work|farm|root|home)/|\b(?:10|192\.168)\.\d+\.\d+\.\d+\b|CUDA_VISIBLE_DEVICES\W+\d"
)
SECRET = re.compile(r"\b(?:hf_[A-Za-z0-9]{30,}|sk-[A-Za-z0-9]{20,}|AIza[0-9A-Za-z_-]{35}|AKIA[0-9A-Z]{16})\b")


def tracked() -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    return [path for name in listing.split("\0") if name and (path := ROOT / name).is_file()]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES + TESTS, ids=name)
def test_a_file_has_at_most_800_lines_and_says_what_it_is(path: Path) -> None:
    text = path.read_text()
    length = text.count("\n")
    assert length <= MOST_LINES, f"{length} lines: cut the file by meaning"
    if length > MANY_LINES:
        warnings.warn(f"{name(path)} has {length} lines; from {MANY_LINES} on, look for a cut by meaning", stacklevel=1)
    assert ast.get_docstring(ast.parse(text)), "no module docstring"
    assert not BANNED.search(name(path))


@pytest.mark.parametrize("path", MODULES + TESTS, ids=name)
def test_a_function_has_at_most_60_lines_and_four_positional_arguments(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= 60, f"{node.name} has {length} lines"
            if path in MODULES:
                positional = [a.arg for a in node.args.args if a.arg not in {"self", "cls"}]
                assert len(positional) <= 4, f"{node.name} takes {positional}"


def test_nothing_committed_is_large_private_or_secret() -> None:
    for path in tracked():
        assert path.stat().st_size <= 1_000_000, f"{name(path)} is large"
        if path.suffix in {".py", ".md", ".yaml", ".toml", ".sh", ".j2", ".json"} or path.name in {"Makefile", "run"}:
            text = path.read_text(errors="replace")
            assert not SECRET.search(text), f"{name(path)} holds a key"
            if path != Path(__file__).resolve():
                assert not PRIVATE.search(text), f"{name(path)} names a private path, host or GPU"


def links(page: Path) -> list[str]:
    """The relative links of a Markdown page, fenced code apart, without their fragments."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    found = re.findall(r"\]\(<?([^)\s>]+)>?(?:\s[^)]*)?\)", text)
    return [link.partition("#")[0] for link in found if not re.match(r"[a-z]+:|#", link)]


def test_every_relative_link_of_the_docs_and_every_page_that_is_named_exists() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
    linked = [(page, page.parent / link) for page in pages for link in links(page)]
    sources = [path for path in (ROOT / "src").rglob("*") if path.suffix in {".py", ".j2", ".yaml"}]
    named = [(path, ROOT / page) for path in sources for page in re.findall(r"\bdocs/[\w./-]+\.md\b", path.read_text())]
    assert len(linked) > 20 and named, "the search finds nothing any more"
    assert not [f"{name(path)}: {name(target)}" for path, target in linked + named if not target.exists()]


def config_classes() -> list[tuple[Path, str, list[str]]]:
    found = []
    for path in MODULES:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and node.name.endswith("Config"):
                fields = [
                    a.target.id for a in node.body if isinstance(a, ast.AnnAssign) and isinstance(a.target, ast.Name)
                ]
                found.append((path, node.name, fields))
    return found


def test_every_config_field_is_read_somewhere() -> None:
    source = "\n".join(path.read_text() for path in MODULES)
    for path, class_name, fields in config_classes():
        for field in fields:
            assert re.search(rf"\.{field}\b", source), f"{name(path)}: {class_name}.{field} is a dead knob"
