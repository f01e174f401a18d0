"""Rule 3 of ARCHITECTURE.md: nothing lives in a module of Python but what never changes, and importing does nothing."""

import ast
from collections.abc import Iterator

_MUTABLE = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
_MAKERS = frozenset({"list", "dict", "set", "bytearray", "defaultdict", "deque", "Counter", "OrderedDict", "count"})
_CHANGERS = frozenset(
    {
        "append",
        "extend",
        "insert",
        "add",
        "update",
        "setdefault",
        "pop",
        "popitem",
        "remove",
        "discard",
        "clear",
        "sort",
    }
)


def test_no_module_holds_state(trees: dict[str, ast.Module]) -> None:
    wrong = [f"{path}:{found}" for path, tree in trees.items() for found in _state(tree)]
    assert not wrong, "\n" + "\n".join(wrong)


def test_importing_a_file_does_nothing(trees: dict[str, ast.Module]) -> None:
    wrong = [f"{path}:{found}" for path, tree in trees.items() for found in _acts(tree)]
    assert not wrong, "\n" + "\n".join(wrong)


def test_an_empty_container_is_state() -> None:
    assert list(_state(ast.parse("SEEN = {}"))) == ["1 SEEN is made empty, to be filled later"]


def test_a_table_that_a_function_changes_is_state() -> None:
    tree = ast.parse("TABLE = {1: 2}\nNAMES = [1]\ndef f():\n    TABLE[2] = 3\n    NAMES.append(2)")
    assert list(_state(tree)) == ["4 TABLE is changed", "5 NAMES is changed"]


def test_a_global_variable_is_state() -> None:
    assert list(_state(ast.parse("n = 0\ndef f():\n    global n\n    n = 1"))) == ["3 global n"]


def test_a_table_that_nobody_changes_is_none() -> None:
    assert list(_state(ast.parse("TABLE = {1: 2}\ndef f(x):\n    x[1] = 3\n    return TABLE[1]"))) == []


def test_a_call_at_import_is_named() -> None:
    assert list(_acts(ast.parse('"""Doc."""\nimport x\nx.register(1)'))) == ["3 x.register(1)"]


def test_completing_a_class_of_the_same_file_is_part_of_defining_it() -> None:
    assert list(_acts(ast.parse("class Dumper: ...\nDumper.add_representer(str, f)"))) == []


def test_a_guarded_main_is_no_act_of_importing() -> None:
    assert list(_acts(ast.parse('if __name__ == "__main__":\n    main()'))) == []


def _state(tree: ast.Module) -> Iterator[str]:
    tables: set[str] = set()
    for statement in tree.body:
        for name, value in _bindings(statement):
            if _is_mutable(value):
                tables.add(name)
                if _is_empty(value) and name != "__all__":
                    yield f"{statement.lineno} {name} is made empty, to be filled later"
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            yield f"{node.lineno} global {', '.join(node.names)}"
        elif (changed := _changed(node)) in tables:
            yield f"{getattr(node, 'lineno', 0)} {changed} is changed"


def _bindings(statement: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(statement, ast.Assign):
        yield from ((target.id, statement.value) for target in statement.targets if isinstance(target, ast.Name))
    elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value:
        yield statement.target.id, statement.value


def _is_mutable(value: ast.expr) -> bool:
    if isinstance(value, ast.Call):
        return ast.unparse(value.func).rpartition(".")[2] in _MAKERS
    return isinstance(value, _MUTABLE)


def _is_empty(value: ast.expr) -> bool:
    if isinstance(value, ast.Call):
        return not value.args or ast.unparse(value.func).rpartition(".")[2] in ("defaultdict", "count")
    return not getattr(value, "elts", None) and not getattr(value, "keys", None) and not hasattr(value, "generators")


def _changed(node: ast.AST) -> str:
    """Return the name whose content this node changes: by a subscript or a method of its own."""
    if (
        isinstance(node, ast.Subscript)
        and isinstance(node.ctx, ast.Store | ast.Del)
        and isinstance(node.value, ast.Name)
    ):
        return node.value.id
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CHANGERS:
        return ast.unparse(node.func.value)
    return ""


def _acts(tree: ast.Module) -> Iterator[str]:
    classes = {statement.name for statement in tree.body if isinstance(statement, ast.ClassDef)}
    for statement in tree.body:
        if isinstance(statement, ast.Expr) and not isinstance(statement.value, ast.Constant):
            if isinstance(statement.value, ast.Call) and ast.unparse(statement.value.func).partition(".")[0] in classes:
                continue
            yield f"{statement.lineno} {ast.unparse(statement)}"
        elif isinstance(statement, ast.For | ast.While | ast.With | ast.Delete | ast.AugAssign):
            yield f"{statement.lineno} {ast.unparse(statement).splitlines()[0]}"
