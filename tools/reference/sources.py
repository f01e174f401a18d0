"""The source files as syntax trees, and what an expression in them comes to without running anything (pure).

Names are looked for where Python would: loops over literals around the expression, assignments of its function,
parameters (by the calls of that function with a literal there), constants of the file, and those it imports.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PACKAGES = ("edgecore", "cloudhub_stub")


class Unknown(Exception):  # noqa: N818 - the value is, and that is all that there is to say
    """The value is known only to a running program."""


class Source:
    """One file."""

    def __init__(self, path: str, tree: ast.Module, sources: "Sources") -> None:
        self.path = path
        self.tree = tree
        self._sources = sources

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        """Return what each node of the tree stands in."""
        return {below: node for node in ast.walk(self.tree) for below in ast.iter_child_nodes(node)}

    @cached_property
    def constants(self) -> dict[str, ast.expr]:
        """Return what names of the file were given at its top level."""
        return dict(assignments(self.tree.body))

    @cached_property
    def imported(self) -> dict[str, str]:
        """Return names to what they stand for, dotted."""
        found: dict[str, str] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                found |= {one.asname or one.name: f"{node.module}.{one.name}" for one in node.names}
        return found

    def calls(self) -> Iterator[ast.Call]:
        """Yield every call in the file, in its order."""
        yield from sorted(
            (node for node in ast.walk(self.tree) if isinstance(node, ast.Call)), key=lambda node: node.lineno
        )

    def around(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield what ``node`` stands in, from inside out."""
        while (node := self.parents.get(node)) is not None:  # type: ignore[assignment]
            yield node

    def values(self, *expressions: ast.expr) -> Iterator[tuple[Any, ...]]:
        """Yield what the expressions come to together: once, or once for each turn of a loop around them."""
        for bindings in self._turns(expressions[0]):
            try:
                yield tuple(self.value(one, bindings) for one in expressions)
            except Unknown:
                continue

    def _turns(self, node: ast.AST) -> Iterator[dict[str, Any]]:
        """Yield the names that the code around ``node`` binds: locals, loops, parameters."""
        local: dict[str, Any] = {}
        loops: list[list[dict[str, Any]]] = []
        for outer in self.around(node):
            if isinstance(outer, ast.For):
                loops.append([*self._loop(outer)])
            elif isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef):
                for name, value in assignments(ast.walk(outer)):
                    try:
                        local.setdefault(name, self.value(value, {}))
                    except Unknown:
                        continue
                loops.append([*self._sources.arguments(outer)] or [{}])
        for turns in product(*(turns or [{}] for turns in loops)):
            merged = dict(local)
            for turn in turns:
                merged |= turn
            yield merged

    def _loop(self, loop: ast.For) -> Iterator[dict[str, Any]]:
        try:
            items = self.value(loop.iter, {})
        except Unknown:
            return
        names = [one.id for one in ast.walk(loop.target) if isinstance(one, ast.Name)]
        for item in items:
            yield dict(zip(names, item if len(names) > 1 else (item,), strict=False))

    def value(self, node: ast.expr, bindings: Mapping[str, Any]) -> Any:
        """Return what an expression comes to. Raises ``Unknown``."""
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name) if name in bindings:
                return bindings[name]
            case ast.Name(id=name) if name in self.constants:
                return self.value(self.constants[name], {})
            case ast.Name(id=name) if name in self.imported:
                return self._sources.constant(self.imported[name])
            case ast.Attribute(value=ast.Name(id=name), attr=attribute) if name in self.imported:
                return self._sources.constant(f"{self.imported[name]}.{attribute}")
            case ast.Tuple(elts=elements) | ast.List(elts=elements):
                return tuple(self._elements(elements, bindings))
            case ast.Dict(keys=keys, values=values) if all(keys):
                pairs = zip(keys, values, strict=True)
                return {self.value(key, bindings): self.value(value, bindings) for key, value in pairs if key}
            case ast.Call(func=ast.Attribute(value=inner, attr="items"), args=[]):
                return tuple(self.value(inner, bindings).items())
            case ast.JoinedStr(values=parts):
                return "".join(str(self.value(part, bindings)) for part in parts)
            case ast.FormattedValue(value=inner):
                return self.value(inner, bindings)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self.value(left, bindings) + self.value(right, bindings)
        raise Unknown(ast.unparse(node))

    def _elements(self, elements: list[ast.expr], bindings: Mapping[str, Any]) -> Iterator[Any]:
        for element in elements:
            if isinstance(element, ast.Starred):
                yield from self.value(element.value, bindings)
            else:
                yield self.value(element, bindings)


class Sources:
    """All files of both programs."""

    def __init__(self, trees: Mapping[str, ast.Module]) -> None:
        self.files = [Source(path, tree, self) for path, tree in trees.items()]
        self._by_module = {file.path.removesuffix(".py").replace("/", "."): file for file in self.files}

    @cached_property
    def _calls_by_name(self) -> dict[str, list[tuple[Source, ast.Call]]]:
        found: dict[str, list[tuple[Source, ast.Call]]] = {}
        for file in self.files:
            for call in file.calls():
                if isinstance(call.func, ast.Name):
                    found.setdefault(call.func.id, []).append((file, call))
        return found

    def constant(self, name: str) -> Any:
        """Return what a dotted name of a file stands for. Raises ``Unknown``."""
        module, _, own = name.rpartition(".")
        file = self._by_module.get(module)
        if file is None or own not in file.constants:
            raise Unknown(name)
        return file.value(file.constants[own], {})

    def arguments(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[dict[str, Any]]:
        """Yield the literal arguments with which a plain function is called by name, by parameter."""
        names = [argument.arg for argument in function.args.args]
        for file, call in self._calls_by_name.get(function.name, ()):
            given = {}
            for name, argument in zip(names, call.args, strict=False):
                try:
                    given[name] = file.value(argument, {})
                except Unknown:
                    continue
            if given:
                yield given


def read_sources(root: Path = ROOT) -> Sources:
    """Read the files of both programs."""
    paths = [path for package in PACKAGES for path in sorted((root / package).rglob("*.py"))]
    return Sources({path.relative_to(root).as_posix(): ast.parse(path.read_text("utf-8")) for path in paths})


def assignments(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, ast.expr]]:
    """Yield what plain names are given by the statements among ``nodes``."""
    for node in nodes:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                yield name, value
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
                pairs = zip(targets, values, strict=False)
                yield from ((target.id, value) for target, value in pairs if isinstance(target, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield name, value
