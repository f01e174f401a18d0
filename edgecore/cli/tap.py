"""``edgecore tap``: the messages between the modules of the running node; and holding one to look at it."""

import argparse
import json
import os
import shutil
import sys
from collections.abc import Generator
from contextlib import closing
from typing import Any
from urllib.parse import urlencode

from edgecore.beehive.passages import PassageFilter, parse_conditions
from edgecore.cli.tap_decision import OVER, QUIT, Decide, Person, decided, read_from
from edgecore.cli.tap_report import TapLines, parsed, passage_document
from edgecore.cli.target import add_target, client_of
from edgecore.control.client import ControlClient
from edgecore.errors import ContentError, ControlError

Json = dict[str, Any]

_DESCRIPTION = """\
Show the messages between the modules of the running node as they go, a line each:
when, from which module to which, what is done with what, how long after the first
message of its chain, the end of its id, and that of the message that it answers.

With --break, hold messages at their receiver instead: each is shown whole, and goes
on, is dropped or is changed, as you say. What comes behind a held message waits, so
that the order stays. Answers to questions within the node are shown, never held."""

_EPILOG = """\
patterns are of the shell (* ? [ab]); modules and operations in any case of letters.
The modules are websocket (the link to the cloud), metaManager, edgemesh, edged, twin,
eventbus, servicebus. The content of Secrets is hidden unless --show-secrets is given.

without a terminal, --break reads a decision a line from its input: go, drop, quit, or
JSON, a whole message or a content alone. A message that is dropped before metaManager
is not acknowledged to the cloud; behind it, the cloud has the acknowledgement already.

exit code:
  0    as many messages as --count says, or quit
  1    the node cannot be reached, or stopped
  2    wrong usage
  130  ended by Ctrl-C (what was held goes on)

examples:
  edgecore tap --config edgecore.yaml
      everything, from now on
  edgecore tap --to edgemesh --op delete --resource 'default/service/*'
      which services EdgeMesh is told are gone
  edgecore tap --resource default/service/web --follow
      all cause and effect of the next message about that service
  edgecore tap --follow f1b0467c --json | jq -c '[.hop, .micros, .from, .to]'
      one message by its id or the end of it, which is what the lines show, as JSON
  edgecore tap --break 'to=edgemesh op=delete'
      hold each deletion before EdgeMesh and ask what to do
  edgecore tap --break 'resource=default/service/web' --then drop --count 1
      have one message lost, and see what the node makes of it"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "tap",
        help="show the messages between modules; hold, drop or change one",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_target(parser)
    parser.add_argument("--to", default="", metavar="MODULE", help="messages for this module alone")
    parser.add_argument("--from", dest="sender", default="", metavar="MODULE", help="messages of this module alone")
    parser.add_argument("--op", default="", metavar="OPERATION", help="insert, update, delete, query, response ...")
    parser.add_argument("--resource", default="", metavar="PATTERN", help="such as 'default/service/*'")
    parser.add_argument(
        "--follow",
        nargs="?",
        const="*",
        default="",
        metavar="ID",
        help="all cause and effect of this message; without ID, of the first one that the other flags take",
    )
    parser.add_argument("--content", action="store_true", help="show contents too")
    parser.add_argument("--show-secrets", action="store_true", help="show the content of Secrets")
    parser.add_argument("--json", action="store_true", help="a JSON object a line")
    parser.add_argument("--count", type=_count, default=None, metavar="N", help="end after N messages")
    held = parser.add_argument_group("holding")
    held.add_argument(
        "--break",
        dest="conditions",
        type=_conditions,
        default=None,
        metavar="CONDITIONS",
        help="hold what these take: to=, from=, op=, resource=, id=, with a pattern each",
    )
    held.add_argument("--then", default="", metavar="go|drop|FILE", help="do not ask: what to do with each one held")
    held.add_argument(
        "--timeout", type=float, default=None, metavar="S", help="let it go on after S seconds (default 60, to 3600)"
    )
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int:
    """Show, or hold, until somebody ends it; return the exit code. Raises ``ControlError`` or ``ContentError``."""
    out = _Out(args)
    client = client_of(args)
    shown = {"to": args.to, "from": args.sender, "op": args.op, "resource": args.resource}
    if args.conditions is None:
        if args.then or args.timeout is not None:
            args.parser.error("--then and --timeout are for --break")
        return _show(client, {**shown, "follow": args.follow}, out)
    if any(shown.values()) or args.follow:
        args.parser.error("--break takes its conditions in one text: --break 'to=edgemesh op=delete'")
    timeout = "" if args.timeout is None else f"{args.timeout:g}"
    return _hold(
        client, {**args.conditions.words(), "timeout_s": timeout}, _decider(args.then), out, insists=bool(args.then)
    )


class _Out:
    """Prints, for people or for programs, and says when it was enough."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._is_terminal = sys.stdout.isatty()
        colour = self._is_terminal and not os.environ.get("NO_COLOR")
        self.lines = TapLines(colour=colour, show_content=args.content, show_secrets=args.show_secrets)
        self._json: bool = args.json
        self._show_secrets: bool = args.show_secrets
        self._left: int | None = args.count

    def head(self) -> None:
        self._fit()
        if not self._json:
            print(self.lines.head(), flush=True)

    def passage(self, passage: Json) -> bool:
        """Print one; return whether more are wanted."""
        if not self._json and passage.get("missed"):
            print(self.lines.missed(passage["missed"]), flush=True)
        self._print(passage, self.lines.line)
        return self.more()

    def held(self, held: Json) -> None:
        self._print(held, self.lines.held)

    def ended(self, item: Json) -> None:
        text = json.dumps(item) if self._json else self.lines.ended(item["ended"], item["how"])
        print(text, flush=True)

    def more(self) -> bool:
        """Count one; return whether more are wanted."""
        if self._left is not None:
            self._left -= 1
        return self._left is None or self._left > 0

    def _fit(self) -> None:
        self.lines.width = shutil.get_terminal_size().columns if self._is_terminal else None

    def _print(self, item: Json, text: Any) -> None:
        self._fit()
        print(json.dumps(passage_document(item, self._show_secrets)) if self._json else text(item), flush=True)


def _show(client: ControlClient, query: dict[str, str], out: _Out) -> int:
    with closing(_stream(client, "/v1/tap", query)) as passages:
        next(passages)
        out.head()
        for passage in passages:
            if not out.passage(passage):
                return 0
    raise ControlError("cannot tap any longer: the node hung up; edgecore status says whether it runs")


def _hold(client: ControlClient, query: dict[str, str], decide: Decide, out: _Out, *, insists: bool) -> int:
    with closing(_stream(client, "/v1/break", query)) as items:
        begun = next(items)
        words = " ".join(f"{word}={value}" for word, value in begun["breaking"].items())
        sys.stderr.write(f"holding {words}, each for {begun['timeout_s']:g} s at most; Ctrl-C lets everything go\n")
        for item in items:
            if "ended" in item:
                out.ended(item)
                if not out.more():
                    return 0
                continue
            out.held(item)
            if not _settle(client, item, decide, insists=insists):
                return 0
    raise ControlError("cannot hold any longer: the node hung up; edgecore status says whether it runs")


def _settle(client: ControlClient, held: Json, decide: Decide, *, insists: bool) -> bool:
    """Have it decided what becomes of a message while it is held; return false where it is ``quit``.

    What makes no sense, or the node does not take, is said and asked for again, unless it ``insists``. Raises
    ``ControlError`` where the node is gone.
    """

    def is_held() -> bool:
        return any(one["hold"] == held["held"] for one in client.get("/v1/held"))

    while is_held():
        try:
            then, message = decide(parsed(held["message"]) or {}, is_held)
            if then in (QUIT, OVER):
                return then != QUIT
            client.post("/v1/break", {"hold": held["held"], "then": then, "message": message})
        except (ContentError, ControlError) as error:
            if insists and is_held():
                raise
            sys.stderr.write(f"{error}\n")
        else:
            return True
    return True


def _stream(client: ControlClient, path: str, query: dict[str, str]) -> Generator[Json, None, None]:
    given = urlencode({word: value for word, value in query.items() if value})
    yield from client.stream("GET", f"{path}?{given}")


def _decider(then: str) -> Decide:
    if then:
        return decided(then)
    return Person() if sys.stdin.isatty() else read_from(sys.stdin)


def _conditions(text: str) -> PassageFilter:
    try:
        return parse_conditions(text)
    except ContentError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of messages")
    return int(text)
