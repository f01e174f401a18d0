"""The command line of ``edgecore join``, and the configuration that it writes."""

from pathlib import Path

import pytest

from edgecore.cli import main
from edgecore.cli.joining import Wanted, configuration
from edgecore.config.addresses import HostPort
from edgecore.config.host import Environment, default_config
from edgecore.config.load import parse
from edgecore.config.render import minimal_text

ENV = Environment("this-machine", "192.0.2.2")
TOKEN = ["--token", "never.used.at.all"]


def wrong(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["join", *arguments]) == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "--server"),
        (["--server", "192.0.2.1"], "--token"),
        (["--server", "192.0.2.1", *TOKEN, "--token-file", "-"], "not allowed with"),
        (["--server", "ws://192.0.2.1", *TOKEN], "only a cloud with TLS is joined"),
        (["--server", "192.0.2.1:0", *TOKEN], "the port is 0"),
        (["--server", "192.0.2.1:70000", *TOKEN], "the port is not a number"),
        (["--server", "https://192.0.2.1", *TOKEN], "only a cloud with TLS"),
        (["--server", "two words", *TOKEN], "neither an IP address nor a host name"),
        (["--server", "192.0.2.1", *TOKEN, "--https", "http://192.0.2.1:10002"], "is not an https:// address"),
        (["--server", "192.0.2.1", *TOKEN, "--https", "https://:10002"], "is not an https:// address"),
        (["--server", "192.0.2.1", *TOKEN, "--name", "My Node"], "is not a Kubernetes name"),
        (["--server", "192.0.2.1", *TOKEN, "--cloud-version", "new"], "is not a version"),
        (["--server", "192.0.2.1", *TOKEN, "--root", ""], "is empty"),
        (["--server", "192.0.2.1", *TOKEN, "--root", "x", "--user"], "not allowed with"),
    ],
)
def test_what_cannot_be_meant_is_wrong_usage(
    arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = wrong(capsys, *arguments)
    assert why in said
    assert "never.used" not in said


def test_the_help_says_where_a_token_comes_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["join", "--help"]) == 0
    printed = capsys.readouterr().out
    assert "kubectl get secret -n kubeedge tokensecret -o jsonpath='{.data.tokendata}' | base64 -d" in printed
    assert "cloudhub-stub token" in printed
    assert "exit code: 0 joined, 1 could not" in printed


def test_the_configuration_says_what_was_wanted_and_is_read_back_the_same() -> None:
    wanted = Wanted(HostPort("2001:db8::1", 30000), "https://cloud.example:30002", "north", "1.12", Path("/srv/north"))
    config = configuration(wanted, ENV)
    loaded = parse(minimal_text(config, default_config(ENV)), "written", env=ENV)
    assert loaded.warnings == ()
    assert loaded.config == config
    hub = config.modules.edge_hub
    assert str(hub.websocket.address) == "wss://[2001:db8::1]:30000"
    assert (hub.http_server, hub.cloud_version, hub.token) == ("https://cloud.example:30002", "1.12", "")
    assert hub.tls_private_key_file == "/srv/north/certs/server.key"
    assert config.node_name == "north"
    assert config.database.data_source == "/srv/north/edgecore.db"


def test_without_a_directory_and_a_name_they_are_those_of_kubeedge_and_the_machine() -> None:
    config = configuration(Wanted(HostPort("192.0.2.1", 10000), "https://192.0.2.1:10002", "", "1.3.1", None), ENV)
    assert config.node_name == "this-machine"
    assert config.modules.edge_hub.tls_ca_file == "/etc/kubeedge/ca/rootCA.crt"
