"""Read texts that a benchmark ships inside its own Python files, without running any of them.

Prompts that a protocol needs verbatim are never copied into this project: they are looked up by name in the file that
the user downloaded, and hashed. `where` in messages is the file's name in the download.
"""

import ast
from typing import Final

from blindpo.errors import SourceError

_OTHER_FILE: Final = "the file differs from the one that this protocol was written for"


def python_constant(source: str, name: str, *, where: str) -> str:
    """The text that `name` is bound to: "NAME", "DICT.key.key" or "function.NAME". Raises SourceError.

    An f-string gives its template, `{name}` for each plain variable. A trailing `.strip()` is applied.

    >>> python_constant('def f(a):\\n    P = f"say {a}"', "f.P", where="x.py")
    'say {a}'
    """
    text = _text(_lookup(source, name, where))
    if text is None:
        raise SourceError(f"{where}: '{name}' is not a text; {_OTHER_FILE}")
    return text


def python_texts(source: str, name: str, *, where: str) -> list[str]:
    """The list or tuple of texts that `name` is bound to. Raises SourceError."""
    node = _lookup(source, name, where)
    items = [_text(item) for item in node.elts] if isinstance(node, ast.List | ast.Tuple) else [None]
    if not items or None in items:
        raise SourceError(f"{where}: '{name}' is not a list of texts; {_OTHER_FILE}")
    return [item for item in items if item is not None]


def long_texts(source: str, *, where: str, at_least: int = 200) -> list[str]:
    """Every text in the file with at least `at_least` characters, in order, docstrings included."""
    nodes = list(ast.walk(_parse(source, where)))
    pieces = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    texts = [_text(node) for node in nodes if isinstance(node, ast.Constant | ast.JoinedStr) and id(node) not in pieces]
    return list(dict.fromkeys(text for text in texts if text is not None and len(text) >= at_least))


def _parse(source: str, where: str) -> ast.Module:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError) as error:
        raise SourceError(f"{where} is not a complete Python file; fetch it again") from error


def _lookup(source: str, name: str, where: str) -> ast.expr:
    scope: ast.AST = _parse(source, where)
    for part in name.split("."):
        member = _member(scope, part)
        if member is None:
            raise SourceError(f"{where} has no '{name}'; {_OTHER_FILE}")
        scope = member
    if not isinstance(scope, ast.expr):
        raise SourceError(f"{where}: '{name}' is a function; {_OTHER_FILE}")
    return scope


def _member(scope: ast.AST, part: str) -> ast.AST | None:
    """The node that `part` names in a module or function (the last assignment counts) or in a dict display."""
    if isinstance(scope, ast.Dict):
        values = dict(zip((_text(key) for key in scope.keys), scope.values, strict=True))
        return values.get(part)
    member: ast.AST | None = None
    for node in getattr(scope, "body", ()):
        for inner in ast.walk(node) if not isinstance(node, ast.FunctionDef) else [node]:
            if isinstance(inner, ast.FunctionDef) and inner.name == part:
                member = inner
            if isinstance(inner, ast.Assign) and any(isinstance(t, ast.Name) and t.id == part for t in inner.targets):
                member = inner.value
    return member


def _text(node: ast.AST | None) -> str | None:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        parts = [_text(value) for value in node.values]
        return None if None in parts else "".join(part for part in parts if part is not None)
    if isinstance(node, ast.FormattedValue):
        return f"{{{node.value.id}}}" if isinstance(node.value, ast.Name) else None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "strip":
        inner = _text(node.func.value)
        return None if inner is None or node.args else inner.strip()
    return None
