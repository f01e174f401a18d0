"""The arrows between files: rules 1, 2, 3, 4 and 6 of ARCHITECTURE.md, read from the imports."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

Trees = Mapping[str, ast.Module]

FLOORS = (
    ("__main__",),
    ("cli",),
    ("lab",),
    ("demo", "doctor", "replay"),
    ("app",),
    ("wiring",),
    ("routes",),
    ("nodestate", "reloading", "snapshot"),
    ("metadata",),
    ("control", "modules"),
    ("config", "metaclient", "observe"),
    ("verdict",),
    ("recording", "store"),
    ("beehive",),
    ("kube",),
    ("clock", "ids", "addresses", "timespans", "privatefiles", "ownprogram", "errors"),
)
"""From the top down. ``observe`` is below the modules because they count in it."""

GROUND = (
    "edgecore.clock",
    "edgecore.ids",
    "edgecore.addresses",
    "edgecore.timespans",
    "edgecore.privatefiles",
    "edgecore.ownprogram",
    "edgecore.errors",
)
STUB_MAY_IMPORT = (
    *GROUND,
    "edgecore.beehive",
    "edgecore.recording",
    "edgecore.store",
    "edgecore.control",
    "edgecore.observe",
    "edgecore.beehive.frame",
)
OWNERS = {
    "websockets": ("edgecore/modules/edgehub/transport.py", "cloudhub_stub/server.py"),
    "peewee": ("edgecore/store/", "cloudhub_stub/store/", "/tables.py"),
    "sqlite3": ("edgecore/store/", "cloudhub_stub/store/", "/tables.py"),
    "paho": ("edgecore/modules/eventbus/client.py", "edgecore/demo/watching.py"),
    "dnslib": ("edgecore/modules/edgemesh/dns/",),
    "httptools": ("edgecore/modules/edgemesh/proxy/",),
    "aiohttp": (
        "edgecore/control/",
        "edgecore/observe/",
        "edgecore/modules/edgehub/certificates/authority.py",
        "edgecore/modules/servicebus/transport.py",
        "edgecore/modules/edged/process/probing.py",
        "cloudhub_stub/certificates/https.py",
    ),
    "yarl": ("edgecore/modules/servicebus/transport.py", "edgecore/modules/edged/process/probing.py"),
    "amqtt": ("edgecore/modules/eventbus/broker/child.py",),
    "cryptography": ("edgecore/modules/edgehub/certificates/x509.py", "cloudhub_stub/certificates/authority.py"),
    "rich": ("edgecore/cli/",),
    "mcap": ("edgecore/recording/packing/",),
    "zstandard": ("edgecore/recording/packing/",),
    "jwt": ("cloudhub_stub/certificates/tokens.py",),
    "prometheus_client": (
        "edgecore/observe/",
        "edgecore/modules/",
        "edgecore/nodestate.py",
        "cloudhub_stub/views.py",
        "cloudhub_stub/faults/views.py",
    ),
}
"""Library to the places that may import it: a file, a folder (/ at the end), or a file name anywhere (/ before it)."""


class Arrow(NamedTuple):
    """One import."""

    path: str
    line: int
    target: str
    """The file it leads to as a dotted name, or the library."""

    def __str__(self) -> str:
        return f"{self.path}:{self.line} imports {self.target}"


def test_every_arrow_points_down(trees: dict[str, ast.Module]) -> None:
    wrong = _listed(_rising(_arrows(trees)))
    assert not wrong, f"\n{wrong}"


def test_no_module_imports_another_module(trees: dict[str, ast.Module]) -> None:
    wrong = _listed(_between_modules(_arrows(trees)))
    assert not wrong, f"\n{wrong}"


def test_modules_are_put_together_in_the_composition_root_alone(trees: dict[str, ast.Module]) -> None:
    wrong = _listed(_composing(_arrows(trees)))
    assert not wrong, f"\n{wrong}"


def test_every_library_has_one_owner(trees: dict[str, ast.Module]) -> None:
    wrong = _listed(_trespassing(_arrows(trees)))
    assert not wrong, f"\n{wrong}"


def test_the_stub_imports_only_what_both_sides_share(trees: dict[str, ast.Module]) -> None:
    wrong = _listed(_reaching_over(_arrows(trees)))
    assert not wrong, f"\n{wrong}"


def test_no_files_import_each_other_in_a_circle(trees: dict[str, ast.Module]) -> None:
    circle = " -> ".join(_circle(_arrows(trees)))
    assert not circle, circle


def test_an_arrow_that_rises_is_named() -> None:
    arrows = _arrows(_parsed({"edgecore/store/store.py": "import os\nfrom edgecore.app import run"}))
    assert _listed(_rising(arrows)) == "edgecore/store/store.py:2 imports edgecore.app"


def test_an_arrow_along_a_floor_is_named() -> None:
    arrows = _arrows(_parsed({"edgecore/control/server.py": "import edgecore.modules.edged.pods"}))
    assert _listed(_rising(arrows)) == "edgecore/control/server.py:1 imports edgecore.modules.edged.pods"


def test_an_import_inside_a_function_counts() -> None:
    text = "def now():\n    from edgecore.observe import metrics"
    arrows = _arrows(_parsed({"edgecore/clock.py": text, "edgecore/observe/metrics.py": ""}))
    assert _listed(_rising(arrows)) == "edgecore/clock.py:2 imports edgecore.observe.metrics"


def test_a_place_on_no_floor_is_named() -> None:
    arrows = _arrows(_parsed({"edgecore/attic/box.py": "import edgecore.errors"}))
    assert _listed(_rising(arrows)) == "edgecore/attic/box.py:1 imports edgecore.errors"


def test_an_arrow_between_modules_is_named() -> None:
    text = "from edgecore.modules.edged.pods import Pod\nfrom edgecore.modules.edgemesh.names import ServiceKey"
    arrows = _arrows(_parsed({"edgecore/modules/edged/module.py": text}))
    named = "edgecore/modules/edged/module.py:2 imports edgecore.modules.edgemesh.names"
    assert _listed(_between_modules(arrows)) == named


def test_a_second_composition_root_is_named() -> None:
    arrows = _arrows(_parsed({"edgecore/demo/node.py": "from edgecore.modules.edged.module import Edged"}))
    assert _listed(_composing(arrows)) == "edgecore/demo/node.py:1 imports edgecore.modules.edged.module"


def test_a_library_outside_its_place_is_named() -> None:
    arrows = _arrows(
        _parsed({"edgecore/app.py": "import aiohttp.web", "edgecore/modules/edgemesh/tables.py": "import peewee"})
    )
    assert _listed(_trespassing(arrows)) == "edgecore/app.py:1 imports aiohttp"


def test_the_stub_reaching_over_is_named() -> None:
    text = "from edgecore import __version__\nfrom edgecore.kube import Service\nfrom edgecore.clock import Clock"
    arrows = _arrows(_parsed({"cloudhub_stub/hub.py": text}))
    assert _listed(_reaching_over(arrows)) == "cloudhub_stub/hub.py:2 imports edgecore.kube"


def test_the_node_importing_the_stub_is_named() -> None:
    arrows = _arrows(_parsed({"edgecore/demo/processes.py": "import cloudhub_stub.app"}))
    assert _listed(_reaching_over(arrows)) == "edgecore/demo/processes.py:1 imports cloudhub_stub.app"


def test_a_circle_of_files_is_named_by_its_way() -> None:
    arrows = _arrows(
        _parsed(
            {
                "edgecore/store/a.py": "import edgecore.store.b",
                "edgecore/store/b.py": "from edgecore.store import c",
                "edgecore/store/c.py": "from edgecore.store.a import X",
            }
        )
    )
    assert _circle(arrows) == ["edgecore.store.a", "edgecore.store.b", "edgecore.store.c", "edgecore.store.a"]


def _parsed(texts: Mapping[str, str]) -> Trees:
    return {path: ast.parse(text) for path, text in texts.items()}


def _listed(arrows: Iterable[Arrow]) -> str:
    return "\n".join(dict.fromkeys(map(str, arrows)))


def _dotted(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _arrows(trees: Trees) -> list[Arrow]:
    """Return every import of our files and of libraries; ``from package import file`` leads to the file."""
    ours = {_dotted(path) for path in trees}
    return [
        Arrow(path, node.lineno, target)
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for target in _targets(node, ours)
    ]


def _targets(node: ast.Import | ast.ImportFrom, ours: set[str]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (_short(alias.name) for alias in node.names)
    else:
        module = node.module or ""
        for alias in node.names:
            full = f"{module}.{alias.name}"
            yield _short(full if full in ours else module)


def _short(name: str) -> str:
    top = name.partition(".")[0]
    return name if top in ("edgecore", "cloudhub_stub") else top


def _unit(dotted: str) -> str:
    return dotted.partition(".")[2].partition(".")[0]


def _rising(arrows: Iterable[Arrow]) -> Iterator[Arrow]:
    """Rule 1. The package itself (its version) is ground."""
    depth = {unit: number for number, floor in enumerate(FLOORS) for unit in floor}
    for arrow in arrows:
        source, target = _unit(_dotted(arrow.path)), _unit(arrow.target)
        if not arrow.path.startswith("edgecore/") or not arrow.target.startswith("edgecore.") or source == target:
            continue
        if depth.get(source, len(FLOORS)) >= depth.get(target, -1):
            yield arrow


def _between_modules(arrows: Iterable[Arrow]) -> Iterator[Arrow]:
    """Rule 2."""
    for arrow in arrows:
        source, target = _dotted(arrow.path).split("."), arrow.target.split(".")
        if source[:2] == target[:2] == ["edgecore", "modules"] and source[2:3] != target[2:3]:
            yield arrow


def _composing(arrows: Iterable[Arrow]) -> Iterator[Arrow]:
    """Rule 3: the files that face the bus are imported by the composition root."""
    for arrow in arrows:
        parts = arrow.target.split(".")
        is_shell = parts[:2] == ["edgecore", "modules"] and parts[-1] == "module"
        if is_shell and not arrow.path.startswith(("edgecore/app.py", "edgecore/wiring/")):
            yield arrow


def _trespassing(arrows: Iterable[Arrow]) -> Iterator[Arrow]:
    """Rule 4."""
    for arrow in arrows:
        places = OWNERS.get(arrow.target)
        if places is not None and not any(_is_in(arrow.path, place) for place in places):
            yield arrow


def _is_in(path: str, place: str) -> bool:
    if place.startswith("/"):
        return path.endswith(place)
    return path.startswith(place) if place.endswith("/") else path == place


def _reaching_over(arrows: Iterable[Arrow]) -> Iterator[Arrow]:
    """Rule 6, and its other direction: the node knows nothing of the stub."""
    for arrow in arrows:
        if arrow.path.startswith("edgecore/"):
            wrong = arrow.target.split(".")[0] == "cloudhub_stub"
        else:
            shared = any(f"{arrow.target}.".startswith(f"{name}.") for name in STUB_MAY_IMPORT)
            wrong = arrow.target.startswith("edgecore.") and not shared
        if wrong:
            yield arrow


def _circle(arrows: Iterable[Arrow]) -> list[str]:
    """Return one way from a file back to itself; nothing if there is none."""
    leads_to: dict[str, list[str]] = {}
    for arrow in arrows:
        leads_to.setdefault(_dotted(arrow.path), []).append(arrow.target)
    done: set[str] = set()

    def search(name: str, way: list[str]) -> list[str]:
        if name in way:
            return [*way[way.index(name) :], name]
        if name in done:
            return []
        for target in leads_to.get(name, ()):
            if found := search(target, [*way, name]):
                return found
        done.add(name)
        return []

    return next((found for name in sorted(leads_to) if (found := search(name, []))), [])
