"""No dead knobs: every field of a configuration is read, of an object that is known to be of that class.

A search for `.name` would be content with the name of anything at all. So the types are followed, as far as annotations
and constructors tell them: through parameters, locals, closures, fields of other classes, and what functions return.
What a class checks of its own fields in `__post_init__` is no use of them, nor is writing all of them into a manifest.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pytest

from tests.house.source import MODULES, room, tree

Scope = ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def is_config(node: ast.AST) -> bool:
    """Whether a syntax node defines a class of options."""
    return isinstance(node, ast.ClassDef) and node.name.endswith(("Config", "Options"))


def words(annotation: ast.AST | None) -> set[str]:
    """All names in an annotation, quoted ones too: `Mapping[str, TrainConfig] | None` holds TrainConfig."""
    names: set[str] = set()
    for node in ast.walk(annotation) if annotation is not None else ():
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.Attribute):
            names.add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names |= set(node.value.replace("|", " ").replace("[", " ").replace("]", " ").split())
    return names


@dataclass
class Source:
    """What all modules together say of types: fields of classes, what functions return, who inherits from whom."""

    trees: Mapping[str, ast.Module]
    fields: dict[str, dict[str, int]] = field(default_factory=dict)
    attributes: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    returned: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    bases: dict[str, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for module in self.trees.values():
            for node in ast.walk(module):
                if isinstance(node, ast.ClassDef):
                    self._class(node)
                elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    self.returned[node.name] |= words(node.returns)

    def _class(self, node: ast.ClassDef) -> None:
        self.bases[node.name] = {word for base in node.bases for word in words(base)}
        for child in node.body:
            if isinstance(child, ast.AnnAssign) and isinstance(child.target, ast.Name):
                self.attributes[child.target.id] |= words(child.annotation)
                if is_config(node) and "ClassVar" not in words(child.annotation):
                    self.fields.setdefault(node.name, {})[child.target.id] = child.lineno
        for method in node.body:
            if isinstance(method, ast.FunctionDef):
                self._self_attributes(method)

    def _self_attributes(self, method: ast.FunctionDef) -> None:
        """`self.config = config` in a method with `config: TrainConfig`: an attribute of that type."""
        types = {a.arg: words(a.annotation) for a in (*method.args.args, *method.args.kwonlyargs)}
        for node in ast.walk(method):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name):
                for target in node.targets:
                    if isinstance(target, ast.Attribute):
                        self.attributes[target.attr] |= types.get(node.value.id, set())
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Attribute):
                self.attributes[node.target.attr] |= words(node.annotation)

    def ancestors(self, name: str) -> set[str]:
        """The class and all that it inherits from."""
        above = set()
        for base in self.bases.get(name, ()):
            above |= self.ancestors(base)
        return {name, *above}

    def reads(self) -> dict[str, set[str]]:
        """For each class, the names of attributes that are read of objects annotated with it."""
        reads: dict[str, set[str]] = defaultdict(set)
        for module in self.trees.values():
            for types, attribute in _reads(self, module, {}, inside=None):
                for name in types:
                    reads[name].add(attribute)
        return reads

    def is_read(self, class_name: str, attribute: str, reads: Mapping[str, set[str]]) -> bool:
        """Whether it is read of the class, of a class above that an object of it goes as, or of one below."""
        family = self.ancestors(class_name) | {other for other in self.bases if class_name in self.ancestors(other)}
        return any(attribute in reads.get(member, ()) for member in family)


def _reads(
    source: Source, node: ast.AST, types: dict[str, set[str]], *, inside: str | None
) -> Iterator[tuple[set[str], str]]:
    """Each read of an attribute below `node`: the types that its object may have, and its name."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield from _reads(source, child, types, inside=child.name)
        elif isinstance(child, ast.AnnAssign):
            # a table of `lambda config: ...` says in its own annotation what each of them takes
            table = {
                argument.arg: words(child.annotation)
                for each in ast.walk(child)
                if isinstance(each, ast.Lambda)
                for argument in each.args.args
            }
            yield from _reads(source, child, {**types, **table}, inside=inside)
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            if getattr(child, "name", "") == "__post_init__" and inside in source.fields:
                continue
            yield from _reads(source, child, {**types, **_bound(source, child, types, inside)}, inside=inside)
        else:
            if isinstance(child, ast.Attribute) and isinstance(child.ctx, ast.Load):
                yield _types(source, child.value, types), child.attr
            yield from _reads(source, child, types, inside=inside)


def _bound(source: Source, scope: Scope, outer: dict[str, set[str]], inside: str | None) -> dict[str, set[str]]:
    """The types of a function's parameters and variables."""
    arguments = (*scope.args.posonlyargs, *scope.args.args, *scope.args.kwonlyargs)
    types = {argument.arg: words(argument.annotation) for argument in arguments if argument.annotation is not None}
    if inside is not None and arguments and arguments[0].arg in {"self", "cls"}:
        types[arguments[0].arg] = {inside}
    for node in ast.walk(scope):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            types.setdefault(node.target.id, set()).update(words(node.annotation))
        elif isinstance(node, ast.Assign | ast.NamedExpr):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                for name, value in _pairs(target, node.value):
                    types.setdefault(name, set()).update(_types(source, value, {**outer, **types}))
    return types


def _pairs(target: ast.AST, value: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """`a, b = f(), g()` binds two; `a, b = f()` gives both what f returns."""
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Tuple):
        values = value.elts if isinstance(value, ast.Tuple) else [value] * len(target.elts)
        for each, one in zip(target.elts, values, strict=False):
            yield from _pairs(each, one)


def _types(source: Source, value: ast.AST, types: Mapping[str, set[str]]) -> set[str]:
    """What an expression may be."""
    if isinstance(value, ast.Name):
        return types.get(value.id, set())
    if isinstance(value, ast.Attribute):
        return source.attributes.get(value.attr, set())
    if isinstance(value, ast.Call):
        called = value.func.id if isinstance(value.func, ast.Name) else getattr(value.func, "attr", "")
        classes = {word for argument in value.args[:1] for word in words(argument) if word in source.fields}
        same = _types(source, value.args[0], types) if called in {"replace", "copy"} and value.args else set()
        return {called} | source.returned.get(called, set()) | classes | same
    return {word for child in ast.iter_child_nodes(value) for word in _types(source, child, types)}


SOURCE = Source({room(path): tree(path) for path in MODULES})
READS = SOURCE.reads()


@pytest.mark.parametrize("class_name", sorted(SOURCE.fields))
def test_every_field_of_a_configuration_is_read(class_name: str) -> None:
    dead = [name for name in SOURCE.fields[class_name] if not SOURCE.is_read(class_name, name, READS)]
    assert not dead, f"no code reads {class_name}.{dead}: a knob without effect"


DEAD_FIELDS = '''
class WorldConfig:
    """Holds two fields that are read, and four of common names that are not."""
    size: int
    seed: int
    name: str
    text: str
    source: str
    model: str

    def __post_init__(self) -> None:
        if self.model == "":
            raise ValueError(self.model)

class Entity:
    name: str

class Work:
    def __init__(self, config: WorldConfig, entity: Entity) -> None:
        self.settings = config
        self.entity = entity

    def run(self) -> int:
        print(self.entity.name, self.entity.text)
        return self.settings.size

def load(path: Path) -> "WorldConfig | None": ...

def world(path: Path) -> int:
    config = load(path)
    return (lambda: config.seed)()
'''


def test_a_field_with_a_common_name_is_dead_where_only_others_of_that_name_are_read() -> None:
    source = Source({"world.py": ast.parse(DEAD_FIELDS)})
    reads = source.reads()
    dead = [name for name in source.fields["WorldConfig"] if not source.is_read("WorldConfig", name, reads)]
    assert dead == ["name", "text", "source", "model"]
