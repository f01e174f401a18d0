"""``edgecore meta get``: one row, whole, with where it is from."""

import argparse
import difflib

from edgecore.cli.metaverbs.shown import document, origin_lines, text_of
from edgecore.cli.metaverbs.source import Source, source_of, where
from edgecore.cli.metaverbs.words import add_secrets
from edgecore.cli.target import add_rows_target
from edgecore.control.columns import one_line
from edgecore.control.documents import as_json, as_yaml
from edgecore.control.mixed_parser import add_mixed_parser
from edgecore.errors import EdgecoreError
from edgecore.metadata.filters import Filters, exactly, full_type
from edgecore.metadata.row import MetaRow, NoJson, hidden_text, parsed

_DESCRIPTION = """\
Show one row: since when it is as it is, by which message, and its value. The row is named
by its key, or by type and name; the namespace is default unless -n says another."""

_EPILOG = """\
exit code: 0 shown, 1 there is no such row, or the node or file cannot be read

examples:
  edgecore meta get default/service/nginx-svc
  edgecore meta get svc nginx-svc -o json | jq .value.spec.ports
  edgecore meta get secret db-password -n shop --show-secrets
  edgecore meta get default/listener/default.nginx-svc --db edgecore.db -o raw
      the stored text, to the byte"""

_DEFAULT_NAMESPACE = "default"
_YAML, _JSON, _RAW = "yaml", "json", "raw"


def add_verb(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = add_mixed_parser(
        subparsers, "get", help="show one row, and by which message it is so", description=_DESCRIPTION, epilog=_EPILOG
    )
    parser.add_argument("what", metavar="KEY|TYPE", help="<namespace>/<type>/<name>, or a type with a name behind it")
    parser.add_argument("name", nargs="?", metavar="NAME", help="the name, behind a type")
    parser.add_argument("-n", "--namespace", default=_DEFAULT_NAMESPACE, metavar="NS", help="default: default")
    parser.add_argument(
        "-o",
        "--output",
        choices=(_YAML, _JSON, _RAW),
        default=_YAML,
        help="the value as YAML below comments (default), everything as JSON, or the stored text alone",
    )
    add_secrets(parser)
    add_rows_target(parser)
    parser.set_defaults(run_below=run, usage_error=parser.error)


def run(args: argparse.Namespace) -> int:
    """Show the row, and return the exit code. Raises ``EdgecoreError`` where there is none."""
    if (args.name is None) != ("/" in args.what):
        args.usage_error("give a key such as default/pod/nginx, or a type and a name")
    key = args.what if args.name is None else f"{args.namespace}/{full_type(args.what)}/{args.name}"
    source = source_of(args)
    found = list(source.rows(Filters(keys=(exactly(key),)), secrets=args.show_secrets))
    if not found:
        raise EdgecoreError(_none(source, key))
    print(_shown(found[0], args.output, source.head.get("database")), end="")
    return 0


def _shown(row: MetaRow, output: str, database: object) -> str:
    if output == _JSON:
        return as_json(document(row))
    if output == _RAW:
        return hidden_text(row) + "\n" if row.hidden else text_of(row) or ""
    head = "".join(f"# {one_line(line)}\n" for line in origin_lines(row, database))
    if row.hidden:
        return f"{head}{hidden_text(row)}\n"
    value = parsed(row)
    if isinstance(value, NoJson):
        return f"{head}# the value is no JSON: {one_line(value.reason)}\n{one_line(text_of(row) or '')}\n"
    return head + as_yaml(value)


def _none(source: Source, key: str) -> str:
    keys = [row.key for row in source.rows(Filters(), secrets=False, values=False)]
    name = key.rpartition("/")[2]
    same_name = [one for one in keys if one.rpartition("/")[2] == name]
    near = list(dict.fromkeys([*same_name, *difflib.get_close_matches(key, keys, 3, 0.8)]))[:5]
    advice = f"there is {', '.join(near)}" if near else "`edgecore meta list` shows what there is"
    return f"cannot get {key}: there is no such row in {where(source.head)}; {advice}"
