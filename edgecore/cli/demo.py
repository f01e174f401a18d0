"""``edgecore demo``: a service, from the cloud to a curl, on this machine alone."""

import argparse
import shlex
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

from msgspec.structs import replace

from edgecore.cli.recordflags import add_record_flags, wish_of
from edgecore.config.host import default_config, this_machine
from edgecore.config.render import full_text
from edgecore.demo import devicestory
from edgecore.demo.backends import Backends
from edgecore.demo.broker import HOST, DemoBroker, find_broker, running
from edgecore.demo.examples import examples_folder
from edgecore.demo.processes import Program
from edgecore.demo.screen import Screen
from edgecore.demo.stage import NODE, Stage
from edgecore.demo.story import ADDRESS_MAP, BACKENDS, DELETES, NAME, PORT, Place, bring_back, tell
from edgecore.errors import ConfigError
from edgecore.recording.kinds import words_of

STEPS = 8
"""Without those of ``devicestory``."""

_DESCRIPTION = """\
Start a cloudhub stub and an edge node, with real sockets and files, and take one
service from the cloud to a curl: its message, its row in SQLite, its fake IP, its
DNS answer, its requests balanced over two pods, and its end. The cloud plays what a
real KubeEdge 1.3.1 was recorded to send; two small HTTP servers on 127.0.0.2 and
127.0.0.3 stand for the pods. Then a device: what the cloud wants of it arrives on MQTT,
what it reports arrives in the cloud; by mosquitto if it is installed, else by the node's
own broker. Every step is checked; it takes a few seconds."""

_NO_BROKER = (
    "The steps with a device were left out: there is no MQTT broker. Install mosquitto (Debian: apt-get install "
    "mosquitto), or the one that a node can embed (make broker)."
)
_EPILOG = """\
examples:
  edgecore demo
      run it; everything it made is gone afterwards
  edgecore demo --keep
      leave all of it running at the end, and print lines to try by hand
  edgecore demo --record demo.jsonl.zst && edgecore replay demo.jsonl.zst
      record all that passes the node, and see that a node of its own does the same again

exit code: 0 every step held, 1 one did not, 130 Ctrl-C"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "demo",
        help="show a service travel from the cloud to a curl",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--keep", action="store_true", help="leave everything running until Ctrl-C")
    parser.add_argument(
        "--broker",
        choices=("auto", "mosquitto", "embedded"),
        default="auto",
        help="the MQTT broker of the device's steps; auto: mosquitto if it is installed, else the node's own",
    )
    add_record_flags(parser, kinds="all")
    parser.add_argument(
        "--recordings",
        type=Path,
        metavar="DIR",
        help="where the recordings are (default: those that come with the program)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the demonstration and return the exit code."""
    examples = examples_folder()
    recordings = args.recordings or examples / "recordings"
    if not recordings.is_dir():
        raise ConfigError(
            f"cannot find the recordings in {recordings}: there is no such directory; leave --recordings out, "
            "or name one with the files of examples/recordings"
        )
    began = time.monotonic()
    record = _record_of(args)
    # Ctrl-C ends it even where a shell that put it in the background had that ignored; so do SIGTERM, and SIGHUP when
    # the terminal is closed, so that its programs end with it.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    broker = find_broker(args.broker)
    screen = Screen(STEPS + (devicestory.STEPS if broker is not None else 0))
    root = Path(tempfile.mkdtemp(prefix="edgecore-demo-"))
    try:
        with (
            Backends(list(BACKENDS)),
            running(broker, root),
            _stub(root, screen) as stub,
            stub.explaining(),
            _node(root, stub, screen, broker, record) as node,
            node.explaining(),
        ):
            database = root / "node" / "edgecore.db"
            stage = Stage(screen, stub, node, database, recordings.resolve(), examples / "mapper", broker)
            tell(stage)
            devicestory.tell(stage)
            if broker is None:
                print(f"\n{_NO_BROKER}")
            print(f"\nEvery step held, in {time.monotonic() - began:.1f} s.")
            if args.keep:
                _wait_for_ctrl_c(stage, bring_back(stage))
        if record:
            print(f"\nRecorded: {args.record}. See that a node does the same again:\n\n  edgecore replay {args.record}")
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return 0


def _record_of(args: argparse.Namespace) -> list[str]:
    """Return the flags with which the node records. Raises ``ConfigError``, also for a file that it would refuse."""
    wish = wish_of(args)
    if wish is None:
        return []
    if wish.path.exists() and not wish.path.is_dir():
        raise ConfigError(f"cannot record into {wish.path}: it is there already; name another file, or remove it")
    kinds = ",".join(words_of(wish.kinds))
    return ["--record", str(wish.path), "--record-kinds", kinds, *([] if wish.redact else ["--record-secrets"])]


def _stub(root: Path, screen: Screen) -> Program:
    directory = root / "stub"
    directory.mkdir()
    socket = directory / "control.sock"
    arguments = ["run", "--plain", "--listen", "127.0.0.1:0", "--state-dir", str(directory), "--control", str(socket)]
    screen.say(f"$ cloudhub-stub {' '.join(arguments)}")
    return Program("cloudhub-stub", ["cloudhub_stub", *arguments], root / "stub.log", socket)


def _node(root: Path, stub: Program, screen: Screen, broker: DemoBroker | None, record: list[str]) -> Program:
    """Write the node's configuration: the defaults, with its files below ``root`` and the stub as its cloud."""
    url = stub.wait_for("the start of the stub", lambda status: status["listen"])["listen"]
    directory = root / "node"
    directory.mkdir()
    config = default_config(this_machine())
    modules = config.modules
    config = replace(
        config,
        database=replace(config.database, data_source=str(directory / "edgecore.db")),
        modules=replace(
            modules,
            edge_hub=replace(modules.edge_hub, websocket=replace(modules.edge_hub.websocket, server=url)),
            edged=replace(modules.edged, hostname_override=NODE),
            event_bus=broker.settings(modules.event_bus) if broker is not None else modules.event_bus,
            edge_mesh=replace(modules.edge_mesh, mode="rootless"),  # root shall not have rules of the kernel by a demo
        ),
    )
    file = root / "edgecore.yaml"
    file.write_text(full_text(config))
    arguments = ["run", "--config", str(file), *record]
    screen.say(f"$ edgecore {shlex.join(arguments)}")
    return Program("edgecore", ["edgecore", *arguments], root / "node.log", config.control_socket)


def _wait_for_ctrl_c(stage: Stage, place: Place) -> None:
    dns, plain = f"@{place.dns[0]} -p {place.dns[1]}", f"{place.plain[0]}:{place.plain[1]}"
    maps = " ".join(f"--map {pair}" for pair in ADDRESS_MAP)
    deletes = stage.recordings / DELETES
    print(
        f"""
The service is back. Try, from another terminal:

{_where_the_programs_are()}  dig {dns} {NAME}
  curl http://{place.fake_ip}:{PORT}/
  curl -x http://{plain} http://{NAME}:{PORT}/
  edgecore status --control {stage.node.control.path}
  eval "$(edgecore env --control {stage.node.control.path})"
  cloudhub-stub nodes --control {stage.stub.control.path}
{_device_lines(stage)}  cloudhub-stub replay {deletes} {maps} --control {stage.stub.control.path}

Ctrl-C ends everything.""",
        flush=True,
    )
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        print("\nStopping.")


def _device_lines(stage: Stage) -> str:
    if stage.broker is None:
        return ""
    return f"""\
  {stage.broker.watching}
  cloudhub-stub get devices thermometer-1 -o yaml --control {stage.stub.control.path}
  {sys.executable} {stage.mapper / "thermometer.py"} --broker {HOST}:{stage.broker.port}
"""


def _where_the_programs_are() -> str:
    """Return the line after which a shell finds the programs; none where it does already."""
    folder = Path(sys.executable).parent
    found = shutil.which("edgecore")
    if (found and Path(found).parent == folder) or not (folder / "edgecore").exists():
        return ""
    return f"  export PATH={shlex.quote(str(folder))}:$PATH\n"
