"""Rule 7 of ARCHITECTURE.md: time and ids come from the clock and the source of ids that were handed down.

Refused: ``time``, ``uuid`` and ``secrets`` altogether; of ``random`` all but the class ``Random`` (an instance is
handed down); of ``asyncio`` what waits for real time (``sleep(0)`` only lets others run); ``call_later`` and
``call_at`` of an event loop; ``now`` and ``today`` of ``datetime``; ``os.urandom``.
"""

import ast
from collections.abc import Iterator

EXEMPT = {
    "edgecore/clock.py": "is the clock",
    "edgecore/ids.py": "is the source of ids",
    "edgecore/app.py": "makes both",
    "cloudhub_stub/app.py": "makes both",
    "edgecore/cli/demo.py": "a client process: waits for other programs in real time",
    "edgecore/demo/": "as cli/demo.py",
    "edgecore/cli/lab.py": "as cli/demo.py",
    "edgecore/lab/": "as cli/demo.py",
    "edgecore/modules/eventbus/broker/child.py": "a program that has nothing of the node, and no clock of its",
    "cloudhub_stub/testing/processes.py": "as cli/demo.py",
}
_WHOLE = frozenset({"time", "uuid", "secrets"})
_OF = {
    "asyncio": frozenset({"sleep", "wait_for", "timeout", "timeout_at"}),
    "datetime": frozenset({"now", "utcnow", "today"}),
    "os": frozenset({"urandom", "getrandom"}),
    "threading": frozenset({"Timer"}),
}


def test_nobody_else_looks_at_a_clock_or_makes_ids(trees: dict[str, ast.Module]) -> None:
    found = [
        f"{path}:{use}" for path, tree in trees.items() if not path.startswith(tuple(EXEMPT)) for use in _uses(tree)
    ]
    assert not found, "\n" + "\n".join(found)


def test_the_time_module_is_named_however_it_is_imported() -> None:
    assert _uses(ast.parse("import time as t\nfrom time import monotonic")) == ["1 time", "2 time"]


def test_what_waits_in_asyncio_is_named_under_an_alias_too() -> None:
    text = "import asyncio as aio\nfrom asyncio import wait_for\nasync def f():\n    await aio.sleep(1)"
    assert _uses(ast.parse(text)) == ["2 asyncio.wait_for", "4 asyncio.sleep"]


def test_letting_others_run_takes_no_time() -> None:
    assert _uses(ast.parse("import asyncio\nasync def f():\n    await asyncio.sleep(0)")) == []


def test_timers_of_the_loop_are_named_and_those_of_the_clock_are_not() -> None:
    text = "loop.call_later(1, f)\nself._loop.call_at(1, f)\nget_running_loop().call_at(1, f)\nclock.call_at(1, f)"
    assert _uses(ast.parse(text)) == ["1 loop.call_later", "2 loop.call_at", "3 loop.call_at"]


def test_a_random_number_out_of_nowhere_is_named_and_a_generator_handed_down_is_not() -> None:
    text = "import random\ndef f(jitter: random.Random):\n    return jitter.random() + random.random()"
    assert _uses(ast.parse(text)) == ["3 random.random"]


def test_the_date_of_now_is_named_and_a_date_of_a_number_is_not() -> None:
    text = "from datetime import UTC, datetime\ndatetime.now(UTC)\ndatetime.fromtimestamp(1, UTC)"
    assert _uses(ast.parse(text)) == ["2 datetime.now"]


def _uses(tree: ast.Module) -> list[str]:
    modules = {
        alias.asname or alias.name: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    harmless = {id(call.func) for call in ast.walk(tree) if isinstance(call, ast.Call) and _takes_no_time(call)}
    found = [
        (node.lineno, use)
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Attribute) and id(node) not in harmless
        for use in _refused(node, modules)
    ]
    return [f"{line} {use}" for line, use in sorted(found)]


def _takes_no_time(call: ast.Call) -> bool:
    is_sleep = isinstance(call.func, ast.Attribute) and call.func.attr == "sleep"
    return is_sleep and [ast.unparse(argument) for argument in call.args] == ["0"]


def _refused(node: ast.Import | ast.ImportFrom | ast.Attribute, modules: dict[str, str]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name in _WHOLE)
    elif isinstance(node, ast.ImportFrom):
        module = node.module or ""
        if module in _WHOLE:
            yield module
        yield from (f"{module}.{alias.name}" for alias in node.names if _is_refused(module, alias.name))
    elif node.attr in ("call_later", "call_at"):
        owner = ast.unparse(node.value).rpartition(".")[2]
        if node.attr == "call_later" or "loop" in owner:
            yield f"loop.{node.attr}"
    else:
        owner = ast.unparse(node.value).rpartition(".")[2]
        module = modules.get(owner, owner)
        if _is_refused(module, node.attr):
            yield f"{module}.{node.attr}"


def _is_refused(module: str, name: str) -> bool:
    if module == "random":
        return name != "Random"
    return name in _OF.get(module, ())
