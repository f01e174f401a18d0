"""What a resolv.conf means for the names of services."""

from typing import Any

import pytest

from edgecore.doctor.resolver import HostFile, Led, check_resolv_conf, host_names_node
from edgecore.modules.edgemesh.dns.resolver.resolvconf import put_first

PATH = "/etc/resolv.conf"
ON_53 = [("127.0.0.1", 53)]
ON_10053 = [("127.0.0.1", 10053)]
OFFICE = b"nameserver 192.0.2.1\nnameserver 192.0.2.2\n"
OURS = put_first(OFFICE, "127.0.0.1")


def found(
    content: bytes | None, addresses: Any = None, *, wanted: bool = False, led: Led | None = None, **file: Any
) -> list[tuple[str, str]]:
    """Return level and text of each finding."""
    findings = check_resolv_conf(HostFile(PATH, content, **file), addresses, wanted=wanted, led=led)
    return [(finding.level, finding.text) for finding in findings]


def levels(*given: Any, **options: Any) -> list[str]:
    return [level for level, _ in found(*given, **options)]


def test_an_ordinary_file_and_no_node_is_fine() -> None:
    assert found(OFFICE) == [("ok", f"{PATH} names 192.0.2.1, 192.0.2.2")]


def test_a_file_that_cannot_be_read_is_a_warning() -> None:
    assert levels(None) == ["warning"]


def test_the_node_first_is_as_it_should_be() -> None:
    assert found(OURS, ON_53, wanted=True, is_held=True) == [
        ("ok", f"{PATH} names the node (127.0.0.1) first, then 192.0.2.1, 192.0.2.2")
    ]
    assert levels(b"nameserver 127.0.0.1\n" + OFFICE, ON_53) == ["ok"]


def test_what_a_killed_node_left_is_a_problem_with_the_way_out() -> None:
    (finding,) = check_resolv_conf(HostFile(PATH, OURS), None, wanted=False)
    assert finding.level == "problem"
    assert finding.advice.startswith("sudo edgecore doctor --fix-resolv-conf")


@pytest.mark.parametrize(
    ("content", "addresses", "wanted", "level", "words"),
    [
        (OFFICE, ON_10053, False, "note", "not on port 53"),
        (OFFICE, ON_10053, True, "problem", "not on port 53"),
        (OFFICE, [], False, "problem", "listens nowhere"),
        (OFFICE, ON_53, False, "note", "does not name the node"),
        (OFFICE, ON_53, True, "warning", "another program wrote it"),
        (OFFICE + b"nameserver 127.0.0.1\n", ON_53, False, "warning", "192.0.2.1 before it"),
    ],
)
def test_a_node_that_is_not_asked_first_is_told(
    content: bytes, addresses: Any, wanted: bool, level: str, words: str
) -> None:
    ((is_level, text),) = found(content, addresses, wanted=wanted)
    assert (is_level, words in text) == (level, True)


@pytest.mark.parametrize(
    ("content", "level", "words"),
    [
        (b"", "warning", "no other server"),
        (b"search corp.example\n", "warning", "no other server"),
        (OFFICE + b"nameserver 192.0.2.3\nnameserver 192.0.2.4\n", "note", "never 192.0.2.4"),
        (OFFICE + b"options rotate\n", "warning", "take turns"),
        (OFFICE + b"search a.example b.example\noptions ndots:5\n", "note", "takes 3 questions"),
        (b"nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch .\n", "note", "stub of systemd-resolved"),
    ],
)
def test_what_the_file_says_is_explained(content: bytes, level: str, words: str) -> None:
    ((is_level, text),) = found(content)
    assert (is_level, words in text) == (level, True)


@pytest.mark.parametrize(
    "options", [b"options ndots:5\n", b"options ndots:x\nsearch a.example\n", b"search a.example\n"]
)
def test_few_dots_are_no_finding(options: bytes) -> None:
    assert levels(OFFICE + options) == ["ok"]


def test_our_own_line_alone_leaves_names_outside_unanswered() -> None:
    assert ("warning", f"{PATH} names no other server: names outside the cluster are answered by nobody") in found(
        put_first(b"", "127.0.0.1"), ON_53, is_held=True
    )


def test_a_link_is_another_program_s_and_a_problem_only_if_it_should_be_changed() -> None:
    target = "/run/NetworkManager/resolv.conf"
    assert levels(OFFICE, target=target) == ["note"]
    assert levels(OFFICE, target=target, wanted=True) == ["problem"]
    assert levels(b"nameserver 127.0.0.53\n", target="/run/systemd/resolve/stub-resolv.conf") == ["note"]


def test_programs_that_go_by_the_file_ask_its_first_server() -> None:
    assert host_names_node(OURS, ON_53)
    assert not host_names_node(OFFICE, ON_53)
    assert not host_names_node(OURS, ON_10053)
    assert not host_names_node(None, ON_53)


def test_questions_that_are_led_to_the_node_need_nothing_in_the_file() -> None:
    led = Led(("192.0.2.1", "192.0.2.2"))
    text = f"questions to 192.0.2.1, 192.0.2.2, named in {PATH}, are led to the node"
    assert found(OFFICE, ON_10053, led=led) == [("ok", text)]
    assert host_names_node(OFFICE, ON_10053, led)


@pytest.mark.parametrize(
    ("led", "level", "words"),
    [
        (Led((), "cannot lead questions here: no mark", is_problem=True), "problem", "no mark"),
        (Led((), "there is no name server"), "note", "there is no name server"),
        (Led(("192.0.2.2",), "programs ask fd00::1 first"), "note", "fd00::1 first"),
        (Led(("192.0.2.9",)), "note", "names others first"),
    ],
)
def test_questions_that_are_not_led_to_the_node_are_told_with_the_reason(led: Led, level: str, words: str) -> None:
    ((found_level, text),) = found(OFFICE, ON_10053, led=led)
    assert (found_level, words in text) == (level, True)
    assert not host_names_node(OFFICE, ON_10053, led)
