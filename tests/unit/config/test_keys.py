"""What every section of the schema keeps to."""

from typing import Annotated

import pytest

from edgecore.config.keys import Key, Section, leaves, settings
from edgecore.config.modules import EdgeHub
from edgecore.config.schema import EdgeCoreConfig

EVERY_SETTING = list(leaves(EdgeCoreConfig))


@pytest.mark.parametrize(("path", "setting"), EVERY_SETTING, ids=[path for path, _ in EVERY_SETTING])
def test_every_setting_has_a_sentence_of_help(path: str, setting: object) -> None:
    help_text = dict(EVERY_SETTING)[path].key.help
    assert help_text[0].isupper() or help_text[0] == "/"
    assert help_text.endswith(".")


@pytest.mark.parametrize("path", [path for path, setting in EVERY_SETTING if setting.key.rule])
def test_every_default_keeps_its_own_rule(path: str) -> None:
    setting = dict(EVERY_SETTING)[path]
    assert setting.key.rule is not None
    assert setting.key.rule.accepts(setting.default)


def test_the_names_of_a_section_differ_in_more_than_case() -> None:
    paths = [path.lower() for path, _ in EVERY_SETTING]
    assert len(set(paths)) == len(paths)


def test_what_is_ours_is_marked_also_below_a_section_of_ours() -> None:
    ours = {path for path, setting in EVERY_SETTING if setting.key.ours}
    assert {"bus.mailboxSize", "modules.edgeMesh.dns.ttl", "modules.edgeHub.maxMessageBytes"} <= ours
    assert "modules.edgeHub.heartbeat" not in ours


def test_what_nothing_reads_yet_is_marked_also_below_its_module() -> None:
    used = {path for path, setting in EVERY_SETTING if setting.key.used}
    assert "modules.edgeHub.heartbeat" in used
    assert not any(path.startswith(("modules.dbTest", "modules.edgeHub.quic")) for path in used)


def test_the_token_is_not_in_the_repr() -> None:
    shown = repr(EdgeHub(token="s3cret"))
    assert "s3cret" not in shown
    assert "heartbeat=15" in shown


def test_a_setting_without_key_is_refused() -> None:
    class Careless(Section, frozen=True):
        port: int = 1

    with pytest.raises(TypeError, match=r"Careless\.port"):
        settings(Careless)


def test_a_setting_without_default_is_refused() -> None:
    class Careless(Section, frozen=True):
        port: Annotated[int, Key(help="A port.")]

    with pytest.raises(TypeError, match=r"Careless\.port"):
        settings(Careless)
