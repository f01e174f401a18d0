"""Who is not the cloud, on the way to it: the dial fails, and nothing of the node has been said."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from edgecore.errors import LinkError
from edgecore.modules.edgehub.certificates.tls import client_context
from edgecore.modules.edgehub.certificates.x509 import new_key, request_of, to_pem
from edgecore.modules.edgehub.transport import CloudAddress, dial

NODE = "edge-that-nobody-may-know"


class Impostor:
    """Listens with TLS, and keeps what it hears. It asks for no certificate, as one would who takes whoever comes."""

    def __init__(self) -> None:
        self.heard = b""
        self.port = 0
        self._server: asyncio.Server | None = None

    async def listen(self, context: ssl.SSLContext | None) -> None:
        self._server = await asyncio.start_server(self._hear, "127.0.0.1", 0, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.heard += await reader.read(65_536)
        except OSError:
            pass
        finally:
            writer.transport.abort()

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()


@pytest.fixture
async def impostor() -> AsyncIterator[Impostor]:
    made = Impostor()
    yield made
    await made.close()


@pytest.fixture
def ours(authority: Any, tmp_path: Path) -> ssl.SSLContext:
    """What a node that has joined ``authority`` dials with."""
    key = new_key()
    files = [tmp_path / name for name in ("ca.crt", "node.crt", "node.key")]
    for file, content in zip(files, (authority.pem, to_pem(authority.sign(request_of(key))), key), strict=True):
        file.write_bytes(content)
    return client_context(*files)


async def refusal(impostor: Impostor, ours: ssl.SSLContext) -> str:
    address = CloudAddress("wss", "127.0.0.1", impostor.port, "project", NODE)
    with pytest.raises(LinkError) as caught:
        await dial(address, timeout_s=10, max_message_bytes=1 << 20, tls=ours)
    return str(caught.value)


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("another CA", "certificate signature failure|self-signed|unable to get local issuer"),
        ("another address", "IP address mismatch"),
        ("expired", "certificate has expired"),
        ("a certificate of a node", "unsuitable certificate purpose"),
    ],
)
async def test_a_cloud_that_cannot_prove_itself_learns_nothing(
    impostor: Impostor, ours: ssl.SSLContext, authority: Any, other_authority: Any, tmp_path: Path, how: str, told: str
) -> None:
    (tmp_path / "server").mkdir()
    who = other_authority if how == "another CA" else authority
    shown: dict[str, Any] = {
        "another address": {"address": "127.0.0.9"},
        "expired": {"lifetime": timedelta(days=1)},
        "a certificate of a node": {"may": ExtendedKeyUsageOID.CLIENT_AUTH},
    }
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*who.server_files(tmp_path / "server", **shown.get(how, {})))
    await impostor.listen(context)
    said = await refusal(impostor, ours)
    assert any(each in said for each in told.split("|")), said
    assert impostor.heard == b""


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Python says so of old TLS
async def test_an_old_tls_is_not_spoken(
    impostor: Impostor, ours: ssl.SSLContext, authority: Any, tmp_path: Path
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.server_files(tmp_path))
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    await impostor.listen(context)
    await refusal(impostor, ours)
    assert impostor.heard == b""


async def test_a_cloud_without_tls_where_there_should_be_some_learns_nothing_of_the_node(
    impostor: Impostor, ours: ssl.SSLContext
) -> None:
    await impostor.listen(None)
    await refusal(impostor, ours)
    assert NODE.encode() not in impostor.heard
    assert impostor.heard[:1] == b"\x16", "the beginning of a handshake, and no request"
