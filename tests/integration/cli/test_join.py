"""``edgecore join`` against an HTTPS port that answers as a cloudcore does."""

import asyncio
import ssl
import stat
import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from edgecore.cli import main
from edgecore.config.host import this_machine
from edgecore.config.load import load
from edgecore.modules.edgehub.certificates.tls import client_context

Join = Callable[..., Awaitable[int]]


@pytest.fixture
def join(certificate_cloud: Any, tmp_path: Path) -> Join:
    """join(*flags, token=...): run the command for a node below ``tmp_path / "node"``; returns its exit code."""

    async def run(*flags: object, token: str = "") -> int:
        command = ["join", "--server", f"127.0.0.1:{certificate_cloud.port - 1}", "--https", certificate_cloud.url]
        command += ["--token", token or certificate_cloud.authority.token(), "--root", str(tmp_path / "node")]
        return await asyncio.to_thread(main, [*command, *map(str, flags)])

    return run


def files_below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


async def test_a_node_that_joined_has_a_configuration_and_files_that_fit_it(
    join: Join, tmp_path: Path, certificate_cloud: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await join("--name", "north") == 0
    root = tmp_path / "node"
    assert files_below(root) == ["ca/rootCA.crt", "certs/server.crt", "certs/server.key", "edgecore.yaml"]
    assert {stat.S_IMODE((root / name).stat().st_mode) for name in files_below(root)} == {0o600}
    config = load(root / "edgecore.yaml", env=this_machine()).config
    hub = config.modules.edge_hub
    assert (config.node_name, hub.http_server) == ("north", certificate_cloud.url)
    paths = [Path(text) for text in (hub.tls_ca_file, hub.tls_cert_file, hub.tls_private_key_file)]
    assert isinstance(client_context(*paths), ssl.SSLContext)
    printed = capsys.readouterr().out
    assert "certificate: CN=kubeedge.io,O=kubeEdge, valid until 2119-" in printed
    assert printed.endswith(f"  edgecore run --config {root}/edgecore.yaml\n")


async def test_the_token_is_written_nowhere(
    join: Join, tmp_path: Path, certificate_cloud: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    token = certificate_cloud.authority.token()
    assert await join(token=token) == 0
    secret = token.rpartition(".")[2]
    kept = b"".join((tmp_path / "node" / name).read_bytes() for name in files_below(tmp_path / "node"))
    printed = capsys.readouterr()
    assert secret not in printed.out + printed.err + kept.decode()


async def test_the_port_of_certificates_goes_with_the_host_of_the_server(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], authority: Any
) -> None:
    code = await asyncio.to_thread(
        main, ["join", "--server", "127.0.0.9", "--token", authority.token(), "--root", str(tmp_path / "node")]
    )
    assert code == 1
    assert "https://127.0.0.9:10002/ca.crt: connection refused" in capsys.readouterr().err


async def test_a_join_that_fails_says_where_and_what_to_try_and_writes_nothing(
    join: Join, tmp_path: Path, certificate_cloud: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    token = certificate_cloud.authority.token(datetime(2020, 5, 1, tzinfo=UTC))
    assert await join(token=token) == 1
    assert files_below(tmp_path) == []
    said = capsys.readouterr().err
    assert said.startswith("edgecore: cannot get the node's certificate from ")
    assert "the token expired at 2020-05-01 00:00:00 UTC" in said
    assert "\n  no file was written; try again with a new token" in said


async def test_files_that_are_there_are_not_replaced(
    join: Join, tmp_path: Path, capsys: pytest.CaptureFixture[str], certificate_cloud: Any
) -> None:
    (tmp_path / "node").mkdir()
    (tmp_path / "node/edgecore.yaml").write_text("mine")
    assert await join() == 1
    assert "edgecore.yaml already there; --force replaces" in capsys.readouterr().err
    assert (tmp_path / "node/edgecore.yaml").read_text() == "mine"
    assert certificate_cloud.requests == []


async def test_by_force_key_and_configuration_are_replaced(join: Join, tmp_path: Path) -> None:
    assert await join() == 0
    key = (tmp_path / "node/certs/server.key").read_bytes()
    assert await join("--force", "--name", "south") == 0
    assert (tmp_path / "node/certs/server.key").read_bytes() != key
    assert "hostnameOverride: south" in (tmp_path / "node/edgecore.yaml").read_text()


async def test_by_force_and_in_vain_the_old_ones_stay(join: Join, tmp_path: Path, certificate_cloud: Any) -> None:
    assert await join() == 0
    before = {name: (tmp_path / "node" / name).read_bytes() for name in files_below(tmp_path / "node")}
    certificate_cloud.answers["/edge.crt"] = lambda _: b""
    assert await join("--force", "--name", "south") == 1
    assert {name: (tmp_path / "node" / name).read_bytes() for name in files_below(tmp_path / "node")} == before


async def test_the_configuration_goes_where_it_is_told_to(join: Join, tmp_path: Path) -> None:
    assert await join("--config", tmp_path / "etc/north.yaml") == 0
    assert files_below(tmp_path / "etc") == ["north.yaml"]
    assert "edgecore.yaml" not in files_below(tmp_path / "node")


async def test_a_token_file_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["join", "--server", "127.0.0.1", "--token-file", str(tmp_path / "none"), "--root", str(tmp_path)]
    assert await asyncio.to_thread(main, command) == 1
    assert capsys.readouterr().err.startswith(f"edgecore: cannot read the token from {tmp_path}/none: No such file")


async def test_the_program_takes_the_token_from_standard_input(tmp_path: Path, certificate_cloud: Any) -> None:
    command = [sys.executable, "-m", "edgecore", "join", "--server", "127.0.0.1", "--https", certificate_cloud.url]
    command += ["--token-file", "-", "--root", str(tmp_path / "node"), "--name", "north"]
    token = certificate_cloud.authority.token() + "\n"
    done = await asyncio.to_thread(
        subprocess.run, command, input=token, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3]
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == f"joining the cloud at {certificate_cloud.url} as node north"
    assert [line.strip().split(":")[0] for line in done.stdout.splitlines()[1:5]] == [
        "CA certificate",
        "key",
        "certificate",
        "stored",
    ]
