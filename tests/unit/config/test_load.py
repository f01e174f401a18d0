"""Files: what is read, and what is refused with which words."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.config.host import Environment
from edgecore.config.load import MAX_FILE_BYTES, LoadedConfig, load, parse
from edgecore.errors import ConfigError

Read = Callable[[str], LoadedConfig]
Refusal = Callable[[str], str]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "edgecore.yaml"


def refused(path: Path, env: Environment) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path, env=env)
    return str(caught.value)


def test_a_file_is_read(file: Path, env: Environment) -> None:
    file.write_text("observe: {logLevel: debug}")
    loaded = load(file, env=env)
    assert loaded.config.observe.log_level == "debug"
    assert loaded.origin == str(file)


def test_a_byte_order_mark_is_skipped(file: Path, env: Environment) -> None:
    file.write_bytes(b"\xef\xbb\xbfbus: {mailboxSize: 5}")
    assert load(file, env=env).config.bus.mailbox_size == 5


def test_a_missing_file_says_how_to_get_one(file: Path, env: Environment) -> None:
    said = refused(file, env)
    assert f"cannot read config file {file}: it does not exist" in said
    assert all(way in said for way in ("--minconfig", "--defaultconfig", "edgecore config --min --user"))


def test_a_directory_is_refused(tmp_path: Path, env: Environment) -> None:
    assert refused(tmp_path, env) == f"cannot read config file {tmp_path}: it is a directory; name the file in it"


def test_a_path_through_a_file_is_refused_with_the_reason_of_the_system(file: Path, env: Environment) -> None:
    file.write_text("")
    assert "Not a directory" in refused(file / "edgecore.yaml", env)


def test_a_path_with_a_zero_byte_is_refused(env: Environment) -> None:
    assert "null" in refused(Path("/a\0b"), env)


@pytest.mark.usefixtures("unprivileged")
def test_a_file_that_may_not_be_read_is_refused(file: Path, env: Environment) -> None:
    file.write_text("{}")
    file.chmod(0)
    assert "Permission denied" in refused(file, env)


def test_a_huge_file_is_refused(file: Path, env: Environment) -> None:
    file.write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    assert "larger than 1048576 bytes" in refused(file, env)


def test_an_endless_file_is_refused(env: Environment) -> None:
    assert "larger than 1048576 bytes" in refused(Path("/dev/zero"), env)


def test_what_is_not_utf_8_is_refused_with_its_line(file: Path, env: Environment) -> None:
    file.write_bytes(b"a: 1\nb: \xff\n")
    assert "line 2: it is not UTF-8 text" in refused(file, env)


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "---\n", "null"])
def test_an_empty_file_is_refused(text: str, refusal: Refusal) -> None:
    assert "cannot use edgecore.yaml: it is empty" in refusal(text)


def test_a_file_that_is_one_value_is_refused(refusal: Refusal) -> None:
    assert "it is not a mapping but a single value" in refusal("hello")


def test_text_that_is_not_yaml_is_refused_with_its_line(refusal: Refusal) -> None:
    assert refusal("a: 1\n\tb: 2").startswith("cannot read edgecore.yaml as YAML: line 2: ")


def test_all_errors_are_told_at_once_one_a_line_in_the_order_of_the_file(refusal: Refusal) -> None:
    said = refusal(
        "observe: {logLevel: loud}\n"
        "bus: {mailboxSize: 0}\n"
        "modules:\n"
        "  edgeMesh: {listenPort: no}\n"
        "database: {dataSource: /srv/x}\n"
        "control: {socket: /srv/x}\n"
    )
    lines = said.splitlines()
    assert lines[0] == "cannot use edgecore.yaml: 4 settings are wrong"
    paths = [line.split()[0].rstrip(":") for line in lines[1:]]
    assert paths == ["observe.logLevel", "bus.mailboxSize", "modules.edgeMesh.listenPort", "control.socket"]


def test_a_second_document_is_a_warning(read: Read) -> None:
    loaded = read("bus: {mailboxSize: 5}\n---\nbus: {mailboxSize: 6}\n")
    assert loaded.config.bus.mailbox_size == 5
    assert [str(w) for w in loaded.warnings] == [
        "the file (line 2): another document begins here; only the first one is read"
    ]


NAMES = st.sampled_from(
    ["modules", "edgeHub", "edged", "bus", "heartbeat", "enable", "nodeIP", "dns", "upstreams", "x"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(NAMES, below, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(NAMES, VALUES, max_size=3))
def test_no_tree_raises_anything_but_a_config_error(tree: dict[str, object]) -> None:
    import yaml

    try:
        parse(yaml.safe_dump(tree), "x", env=Environment("vm", "192.0.2.2"))
    except ConfigError as error:
        assert str(error).startswith("cannot ")  # noqa: PT017 - both outcomes are right


@given(st.text(max_size=80))
def test_no_text_raises_anything_but_a_config_error(text: str) -> None:
    try:
        parse(text, "x", env=Environment("vm", "192.0.2.2"))
    except ConfigError as error:
        assert str(error).startswith("cannot ")  # noqa: PT017 - both outcomes are right
