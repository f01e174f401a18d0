"""The order in which programs look names up."""

import subprocess

import pytest

from edgecore.doctor.nsswitch import Source, check_hosts_file, check_nsswitch, hosts_sources

DOMAIN = "cluster.local"


def levels(line: str, domain: str = DOMAIN) -> list[str]:
    return [finding.level for finding in check_nsswitch(f"passwd: files\n{line}\n", domain)]


@pytest.mark.parametrize(
    ("text", "sources"),
    [
        ("hosts: files dns", [Source("files"), Source("dns")]),
        (
            "hosts:\tfiles mdns4_minimal [NOTFOUND=return] dns # x",
            [Source("files"), Source("mdns4_minimal", ("notfound=return",)), Source("dns")],
        ),
        (
            "hosts: mymachines resolve[!UNAVAIL=return SUCCESS=continue] files",
            [Source("mymachines"), Source("resolve", ("!unavail=return", "success=continue")), Source("files")],
        ),
        ("hosts: db\nhosts: dns", [Source("dns")]),
        ("hosts:", []),
        ("# hosts: dns\nnetworks: files", None),
        ("", None),
    ],
)
def test_sources_are_read_with_their_actions(text: str, sources: list[Source] | None) -> None:
    assert hosts_sources(text) == sources


@pytest.mark.parametrize(
    ("actions", "ends"),
    [
        (("notfound=return",), True),
        (("!unavail=return",), True),
        (("!notfound=return",), False),
        (("success=return",), False),
        (("notfound=continue",), False),
        ((), False),
    ],
)
def test_a_source_ends_the_search_by_its_actions(actions: tuple[str, ...], ends: bool) -> None:
    assert Source("x", actions).ends_on_not_found is ends


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("hosts: files dns", ["ok"]),
        ("hosts: dns files", ["ok"]),
        ("hosts: dns files mdns4_minimal [NOTFOUND=return]", ["ok"]),
        ("hosts: files myhostname dns", ["ok"]),
        ("hosts: files mdns4 dns", ["ok"]),
        ("networks: files", ["ok"]),
        ("hosts: files mdns4_minimal [NOTFOUND=return] dns", ["warning"]),
        ("hosts: files resolve [!UNAVAIL=return] dns", ["note"]),
        ("hosts: files mdns4_minimal [NOTFOUND=return] resolve [!UNAVAIL=return] dns", ["warning", "note"]),
        ("hosts: files resolve", ["note"]),
        ("hosts: files", ["problem"]),
        ("hosts: files [NOTFOUND=return] dns", ["problem"]),
        ("hosts: dns file mdns4_minimal [NOTFOUND=return]", ["warning"]),
    ],
)
def test_each_order_is_judged_by_whether_dns_is_asked(line: str, found: list[str]) -> None:
    assert levels(line) == found


def test_mdns_before_dns_does_no_harm_to_a_domain_that_is_not_below_local() -> None:
    assert levels("hosts: files mdns4_minimal [NOTFOUND=return] dns", "cluster.example") == ["ok"]


def test_without_the_file_dns_is_asked() -> None:
    assert [finding.level for finding in check_nsswitch(None, DOMAIN)] == ["ok"]


@pytest.mark.parametrize(
    ("line", "becomes"),
    [
        (
            "hosts:          files mdns4_minimal [NOTFOUND=return] dns",
            "hosts: files dns mdns4_minimal [NOTFOUND=return]",
        ),
        (
            "hosts: mdns4_minimal [NOTFOUND=return] files dns myhostname",
            "hosts: files dns mdns4_minimal [NOTFOUND=return] myhostname",
        ),
        ("hosts: files", "hosts: files dns"),
        ("hosts: files [NOTFOUND=return] dns", "hosts: files dns"),
        ("hosts: dns file", "hosts: dns files"),
    ],
)
def test_the_command_that_is_advised_mends_the_file(line: str, becomes: str, tmp_path) -> None:
    file = tmp_path / "nsswitch.conf"
    file.write_text(f"passwd: file\n{line}\nnetworks: files\n")
    (finding,) = check_nsswitch(file.read_text(), DOMAIN)
    command = finding.advice.removeprefix("sudo ").replace("/etc/nsswitch.conf", str(file))
    subprocess.run(["sh", "-c", command], check=True)
    assert file.read_text() == f"passwd: file\n{becomes}\nnetworks: files\n"
    assert levels(becomes) == ["ok"]


def test_a_hosts_file_with_names_of_the_cluster_hides_them() -> None:
    text = "127.0.0.1 localhost\n10.0.0.1 web.default.svc.Cluster.Local web # was: x.cluster.local\n"
    (finding,) = check_hosts_file(text, DOMAIN)
    assert (finding.level, "web.default.svc.Cluster.Local:" in finding.text) == ("warning", True)
    many = "".join(f"10.0.0.1 s{number}.cluster.local\n" for number in range(5))
    assert "and 2 more" in check_hosts_file(many, DOMAIN)[0].text


@pytest.mark.parametrize("text", [None, "", "127.0.0.1 localhost notcluster.local cluster.local.example\n"])
def test_a_hosts_file_without_names_of_the_cluster_is_no_finding(text: str | None) -> None:
    assert check_hosts_file(text, DOMAIN) == []
