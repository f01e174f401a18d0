"""Whether the node may write where it is told to."""

import stat
from pathlib import Path

import pytest
from msgspec.structs import replace

from edgecore.config.paths import check_paths
from edgecore.config.render import below
from edgecore.config.schema import Control, Database, EdgeCoreConfig
from edgecore.errors import ConfigError


def with_server(config: EdgeCoreConfig, server: str) -> EdgeCoreConfig:
    hub = config.modules.edge_hub
    hub = replace(hub, websocket=replace(hub.websocket, server=server))
    return replace(config, modules=replace(config.modules, edge_hub=hub))


@pytest.fixture
def config(tmp_path: Path) -> EdgeCoreConfig:
    """All paths below a directory that is not there yet; no TLS."""
    return with_server(below(EdgeCoreConfig(), tmp_path / "state" / "node"), "ws://127.0.0.1:10000")


def refusal(config: EdgeCoreConfig) -> str:
    with pytest.raises(ConfigError) as caught:
        check_paths(config)
    return str(caught.value)


def test_the_directory_of_the_database_is_made_for_its_owner_alone(config: EdgeCoreConfig, tmp_path: Path) -> None:
    check_paths(config)
    for directory in (tmp_path / "state", tmp_path / "state" / "node"):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_a_directory_that_is_there_keeps_its_mode(config: EdgeCoreConfig) -> None:
    directory = config.database.path.parent
    directory.mkdir(parents=True, mode=0o755)
    before = directory.stat().st_mode
    check_paths(config)
    assert directory.stat().st_mode == before


def test_checking_twice_is_as_good_as_once(config: EdgeCoreConfig) -> None:
    check_paths(config)
    config.database.path.touch()
    check_paths(config)


def test_the_directory_of_a_named_socket_is_made(config: EdgeCoreConfig, tmp_path: Path) -> None:
    check_paths(replace(config, control=Control(socket=str(tmp_path / "run" / "x.sock"))))
    assert (tmp_path / "run").is_dir()


def test_a_place_that_cannot_be_made_names_key_path_and_way_out(config: EdgeCoreConfig) -> None:
    said = refusal(replace(config, database=Database(data_source="/proc/edgecore/edgecore.db")))
    assert (
        "database.dataSource: cannot use /proc/edgecore/edgecore.db: cannot create the directory /proc/edgecore" in said
    )
    assert "`edgecore config --min --user`" in said


def test_a_database_that_is_a_directory_is_refused(config: EdgeCoreConfig) -> None:
    config.database.path.mkdir(parents=True)
    assert "database.dataSource" in refusal(config)
    assert "it is a directory" in refusal(config)


def test_a_place_below_a_file_is_refused(config: EdgeCoreConfig, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = refusal(replace(config, control=Control(socket=str(tmp_path / "file" / "x.sock"))))
    assert f"control.socket: cannot use {tmp_path}/file/x.sock: {tmp_path}/file is not a directory" in said


@pytest.mark.usefixtures("unprivileged")
def test_a_directory_that_may_not_be_written_is_refused(config: EdgeCoreConfig) -> None:
    config.database.path.parent.mkdir(parents=True)
    config.database.path.parent.chmod(0o500)
    assert "Permission denied" in refusal(config)


@pytest.mark.usefixtures("unprivileged")
def test_a_database_that_may_not_be_written_is_refused(config: EdgeCoreConfig) -> None:
    check_paths(config)
    config.database.path.touch(mode=0o400)
    assert "cannot write it: Permission denied" in refusal(config)


def test_certificates_are_not_looked_at_without_tls(config: EdgeCoreConfig, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    hub = replace(config.modules.edge_hub, tls_ca_file=str(tmp_path / "file" / "ca.crt"))
    check_paths(replace(config, modules=replace(config.modules, edge_hub=hub)))


def test_the_place_of_a_certificate_is_looked_at_with_tls_and_not_made(config: EdgeCoreConfig) -> None:
    check_paths(with_server(config, "wss://127.0.0.1:10000"))
    assert not Path(config.modules.edge_hub.tls_ca_file).parent.exists()


def test_every_path_that_will_not_do_is_told_at_once(config: EdgeCoreConfig, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    config = with_server(below(config, tmp_path / "file"), "127.0.0.1:10000")
    hub = replace(config.modules.edge_hub, tls_cert_file=str(tmp_path / "folder"))
    said = refusal(replace(config, modules=replace(config.modules, edge_hub=hub)))
    keys = [line.split(":")[0].strip() for line in said.splitlines()[1:-1]]
    hub_keys = ["tlsCaFile", "tlsCertFile", "tlsPrivateKeyFile"]
    assert keys == ["database.dataSource", *(f"modules.edgeHub.{key}" for key in hub_keys)]


def test_a_disabled_hub_needs_no_certificates(config: EdgeCoreConfig, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    config = with_server(config, "127.0.0.1:10000")
    hub = replace(config.modules.edge_hub, enable=False, tls_ca_file=str(tmp_path / "file" / "ca.crt"))
    check_paths(replace(config, modules=replace(config.modules, edge_hub=hub)))
