"""Every file that decodes something belongs to a target, or stands here with the reason why it needs none."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.fuzz.targets import all_targets

ROOT = Path(__file__).parents[2]
DECODING = re.compile(
    r"msgspec\.(json|msgpack)\.(decode|Decoder)|msgpack\.Decoder|msgspec\.convert|json\.(loads|JSONDecoder)|JSONDecoder"
    r"|yaml\.(load|safe_load|parse|compose|compose_all)|(base64\.)?(urlsafe_)?b64decode|bytes\.fromhex|struct\.unpack"
    r"|\w+\.unpack(_from)?|jwt\.\w+|x509\.load_\w+|serialization\.load_\w+|Http(Request|Response)Parser|DNSRecord\.parse"
    r"|shlex\.split|datetime\.fromisoformat|pickle\.loads?|ast\.literal_eval"
)
"""Calls that turn bytes or texts of somebody else into values."""

EXPLAINED = {
    "cloudhub_stub.cli.call": "what the stub answers, which made it of bytes",
    "cloudhub_stub.cli.fault": "the flags of the command itself",
    "cloudhub_stub.cli.printing.describing": "objects that the stub has checked when they were applied",
    "cloudhub_stub.downstream.devices": "a text that the same file has written",
    "cloudhub_stub.downstream.wanted": "contents that the stub has made itself",
    "cloudhub_stub.testing.client": "what the stub answers, which made it of bytes",
    "cloudhub_stub.testing.edge": "a configuration that the test has made with edgecore itself",
    "edgecore.cli.top_figures": "what the node answers of its own log",
    "edgecore.demo.devicestory": "the demonstration's own devices",
    "edgecore.demo.probes": "the demonstration's own node",
    "edgecore.demo.story": "the demonstration's own node",
    "edgecore.lab.landlord": "credentials that the kernel gives with a socket",
    "edgecore.lab.walk": "the walk-through's own commands",
    "edgecore.modules.edgemesh.dns.listening.pktinfo": "control data that the kernel gives with a packet",
    "edgecore.modules.edgemesh.dns.packets.records": "a packet that dnslib has just made of our records",
    "edgecore.modules.edgemesh.intercept.keeper.succession": "credentials that the kernel gives with a socket",
    "edgecore.modules.edgemesh.inventory": "rows that MetaManager has answered; metaclient has read them as texts",
    "edgecore.modules.edgemesh.upstream.balancing.ring": "digests that it has just made",
    "edgecore.modules.edgemesh.workers.link": "the node's own workers, started by it on a pair of sockets",
    "edgecore.modules.eventbus.broker.child": "an argument that its own parent gives it",
    "edgecore.recording.recorder.apart": "the node's own child, by a pipe that nobody else has",
    "edgecore.recording.recorder.child": "the node itself, by a pipe that nobody else has",
}


def test_every_file_that_decodes_belongs_to_a_target_or_says_why_not() -> None:
    tried = {module for target in all_targets().values() for module in target.reads}
    decoding = {module for module, path in _modules() if _decodes(path.read_text("utf-8"))}
    assert decoding - tried - EXPLAINED.keys() == set(), "write a target in tests/fuzz/targets/, or explain it here"
    assert EXPLAINED.keys() - decoding == set(), "they decode nothing any more"
    assert EXPLAINED.keys() & tried == set(), "they have a target by now"


def test_every_module_that_a_target_names_is_there() -> None:
    there = {module for module, _ in _modules()}
    assert {
        target.name: set(target.reads) - there for target in all_targets().values() if set(target.reads) - there
    } == {}


def _modules() -> Iterator[tuple[str, Path]]:
    for package in ("edgecore", "cloudhub_stub"):
        for path in (ROOT / package).rglob("*.py"):
            yield ".".join(path.relative_to(ROOT).with_suffix("").parts), path


def _decodes(text: str) -> bool:
    if DECODING.search(text) is None:  # which is quicker than to parse it
        return False
    calls = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))
    return any(DECODING.fullmatch(ast.unparse(call.func)) for call in calls)
