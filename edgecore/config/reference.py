"""All settings as Markdown, made from the schema (``docs/reference/settings.md`` holds it, and is tested)."""

from collections.abc import Iterator

from edgecore.config.keys import Key, Section, Setting, settings
from edgecore.config.problem import shown
from edgecore.config.schema import EdgeCoreConfig

_UNUSED = "*Accepted, not used yet.*"


def reference() -> str:
    """Return one table a section, in the order of the file."""
    return "\n\n".join(_sections(EdgeCoreConfig, "", Key(help="What the file is."))) + "\n"


def _sections(section: type[Section], path: str, key: Key) -> Iterator[str]:
    declared = sorted(settings(section), key=lambda setting: setting.name)
    rows = [_row(setting, key) for setting in declared if setting.section is None]
    if rows:
        title = f"### `{path}`" if path else "### The root"
        note = f" {_UNUSED}" if not key.used else ""
        head = "| key | default | allowed | from | meaning | changed |\n| --- | --- | --- | --- | --- | --- |"
        yield "\n".join([title, "", f"{key.help}{note}", "", head, *rows])
    for setting in declared:
        if setting.section is not None:
            below = Key(help=setting.key.help, ours=key.ours or setting.key.ours, used=key.used and setting.key.used)
            yield from _sections(setting.section, f"{path}.{setting.name}" if path else setting.name, below)


def _row(setting: Setting, section: Key) -> str:
    key = setting.key
    origin = "edgecore" if key.ours or section.ours else "KubeEdge"
    meaning = key.help if key.used or not section.used else f"{key.help} {_UNUSED}"
    cells = (f"`{setting.name}`", _default(setting), setting.allowed, origin, meaning, _change(key, section))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _change(key: Key, section: Key) -> str:
    """Return when another value counts: see ``Key.reload``."""
    if not (key.used and section.used):
        return ""
    return "by reload" if key.reload else "by restart"


def _default(setting: Setting) -> str:
    if setting.key.shown:
        return setting.key.shown
    return f"`{setting.default if isinstance(setting.default, str) and setting.default else shown(setting.default)}`"
