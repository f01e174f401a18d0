"""The file decoded over the defaults: what it changes, what it leaves, and what is worth a word."""

from collections.abc import Callable

import pytest

from edgecore.config.load import LoadedConfig
from edgecore.config.schema import EdgeCoreConfig

Read = Callable[[str], LoadedConfig]
Refusal = Callable[[str], str]


def warnings(loaded: LoadedConfig) -> list[str]:
    return [str(warning) for warning in loaded.warnings]


def test_absent_keys_keep_their_defaults(read: Read, defaults: EdgeCoreConfig) -> None:
    loaded = read("modules: {edgeHub: {heartbeat: 7}}")
    assert loaded.config.modules.edge_hub.heartbeat == 7
    assert loaded.config.modules.edge_hub.token == ""
    assert loaded.config.modules.edged == defaults.modules.edged


def test_an_empty_mapping_is_all_defaults(read: Read, defaults: EdgeCoreConfig) -> None:
    assert read("{}") == LoadedConfig(defaults, (), frozenset(), "edgecore.yaml")


@pytest.mark.parametrize("text", ["modules:\n", "modules: {edgeHub: null}", "modules: {edgeHub: {heartbeat: ~}}"])
def test_null_keeps_the_default(text: str, read: Read, defaults: EdgeCoreConfig) -> None:
    assert read(text).config == defaults


def test_keys_match_in_any_case(read: Read) -> None:
    loaded = read("MODULES: {edgehub: {HeartBeat: 7}}")
    assert loaded.config.modules.edge_hub.heartbeat == 7
    assert loaded.warnings == ()


def test_a_list_of_texts_is_a_tuple(read: Read) -> None:
    loaded = read("modules: {edgeMesh: {dns: {upstreams: [192.0.2.53, '127.0.0.1:5353']}}}")
    assert loaded.config.modules.edge_mesh.dns.upstreams == ("192.0.2.53", "127.0.0.1:5353")


def test_what_the_file_gives_is_known(read: Read) -> None:
    loaded = read("modules: {edgeMesh: {listenInterface: docker0}}")
    assert loaded.given == {"modules", "modules.edgeMesh", "modules.edgeMesh.listenInterface"}


def test_the_last_of_two_equal_keys_counts_with_a_warning(read: Read) -> None:
    loaded = read("bus: {mailboxSize: 5}\nbus: {sendTimeout: 1}\n")
    assert (loaded.config.bus.mailbox_size, loaded.config.bus.send_timeout) == (1024, 1.0)
    assert warnings(loaded) == ["bus (line 1): is given more than once; only one of them counts"]


def test_spellings_that_differ_in_case_count_in_the_order_of_their_bytes(read: Read) -> None:
    loaded = read("bus:\n  mailboxSize: 5\n  MailboxSize: 6\n")
    assert loaded.config.bus.mailbox_size == 5
    assert warnings(loaded) == ["bus.mailboxSize (line 2): is given more than once; only one of them counts"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "modules:\n  edgeHub:\n    heartbeet: 7\n",
            "modules.edgeHub.heartbeet (line 3): is not a known key; did you mean modules.edgeHub.heartbeat?",
        ),
        ("moduls: {}", "moduls (line 1): is not a known key; did you mean modules?"),
        ("edgeHub: {}", "edgeHub (line 1): is not a known key; did you mean modules.edgeHub?"),
        ("mailboxSize: 5", "mailboxSize (line 1): is not a known key; did you mean bus.mailboxSize?"),
        (
            "modules: {edgeHub: {server: 'x:1'}}",
            "modules.edgeHub.server (line 1): is not a known key; did you mean modules.edgeHub.websocket.server?",
        ),
        ("zzz: {deep: [1]}", "zzz (line 1): is not a known key"),
        ("'a\\nb': 1", "a\\nb (line 1): is not a known key"),
        ('"a\\nb": 1', '"a\\nb" (line 1): is not a known key'),
        ("5: 1", "5 (line 1): is not a known key"),
    ],
)
def test_an_unknown_key_is_a_warning_with_the_nearest_known_one(text: str, said: str, read: Read) -> None:
    assert warnings(read(text)) == [said]


def test_many_unknown_keys_are_cut_short(read: Read) -> None:
    loaded = read("\n".join(f"key{n}: 1" for n in range(5000)))
    assert len(loaded.warnings) == 51
    assert warnings(loaded)[-1] == "the file: 4950 more keys are unknown or repeated"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("modules: 5", "modules (line 1): found 5, allowed: a mapping"),
        ("modules: {edgeHub: [1]}", "modules.edgeHub (line 1): found a list, allowed: a mapping"),
        ("[1]", "the file (line 1): found a list, allowed: a mapping"),
        (
            "modules:\n  edgeHub:\n    heartbeat: soon",
            'modules.edgeHub.heartbeat (line 3): found "soon", allowed: a whole number of seconds from 1 to 2147483647',
        ),
        ("modules: {edgeHub: {heartbeat: '15'}}", 'found "15", allowed: a whole number'),
        ("modules: {edgeHub: {enable: 1}}", "modules.edgeHub.enable (line 1): found 1, allowed: true or false"),
        ("observe: {logLevel: loud}", 'found "loud", allowed: one of debug, info, warning, error'),
        ("kind: CloudCore", 'kind (line 1): found "CloudCore", allowed: only EdgeCore'),
        ("apiVersion: v1", 'apiVersion (line 1): found "v1", allowed: only edgecore.config.kubeedge.io/v1alpha1'),
        ("database: {driverName: postgres}", 'found "postgres", allowed: only sqlite3'),
        (
            "modules: {edgeMesh: {dns: {upstreams: {a: 192.0.2.53}}}}",
            "upstreams (line 1): found a mapping, allowed: a list",
        ),
    ],
)
def test_a_wrong_value_names_its_path_what_was_found_and_what_is_allowed(
    text: str, said: str, refusal: Refusal
) -> None:
    assert said in refusal(text)


def test_the_login_of_an_address_is_not_shown(refusal: Refusal) -> None:
    said = refusal("modules: {eventBus: {mqttServerExternal: 'tcp://me:hunter2@broker:1883'}}")
    assert 'found "tcp://***@broker:1883", allowed: tcp://host:port' in said


def test_a_secret_is_not_shown_when_it_is_wrong(refusal: Refusal) -> None:
    said = refusal('modules: {edgeHub: {token: "s3cret\\n"}}')
    assert "modules.edgeHub.token (line 1): found something else (not shown: a secret)" in said
    assert "s3cret" not in said
