"""Lines and statements of code in src, without blanks, comments and docstrings: of this checkout and of other commits.

    python bench/code_lines.py 1145fd5        this checkout beside that commit

Statements do not depend on how a formatter breaks lines; lines do.
"""

import argparse
import ast
import io
import subprocess
import sys
import tarfile
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NO_CODE = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER,
}  # fmt: skip


def docstrings(tree: ast.Module) -> Iterator[ast.Expr]:
    """Yield every statement that is a string alone: docstrings, and those under fields."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node


def lines_and_statements(source: str) -> tuple[int, int]:
    """Count one file. A docstring, a blank, a comment and `x = 1` are 1 line and 1 statement."""
    tree = ast.parse(source)
    texts = list(docstrings(tree))
    in_texts = {line for text in texts for line in range(text.lineno, (text.end_lineno or text.lineno) + 1)}
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    lines = {line for token in tokens if token.type not in NO_CODE for line in range(token.start[0], token.end[0] + 1)}
    statements = sum(isinstance(node, ast.stmt) for node in ast.walk(tree))
    return len(lines - in_texts), statements - len(texts)


def of_checkout() -> list[str]:
    """Read the sources of this checkout."""
    return [path.read_text(encoding="utf-8") for path in sorted((ROOT / "src").rglob("*.py"))]


def of_commit(commit: str) -> list[str]:
    """Read the sources of a commit. Raises SystemExit where git does not know it."""
    done = subprocess.run(["git", "archive", commit, "src"], cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"git knows no commit {commit} here; give one that `git log` lists")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        files = [archive.extractfile(member) for member in archive.getmembers() if member.name.endswith(".py")]
        return [file.read().decode("utf-8") for file in files if file is not None]


def main() -> None:
    """Print one line per commit, then this checkout's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commits", nargs="*", metavar="COMMIT")
    for name, sources in [*((each, of_commit(each)) for each in parser.parse_args().commits), ("here", of_checkout())]:
        counts = [lines_and_statements(source) for source in sources]
        lines, statements = (sum(count[place] for count in counts) for place in (0, 1))
        sys.stdout.write(f"{name:<12}{len(sources):>5} files {lines:>7,} lines {statements:>7,} statements\n")


if __name__ == "__main__":
    main()
