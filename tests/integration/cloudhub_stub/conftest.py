"""A stub with real sockets on loopback, and edges that are written out message by message."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID
from websockets.asyncio.client import ClientConnection, connect

from cloudhub_stub.app import Stub
from cloudhub_stub.settings import Settings
from edgecore.clock import Clock
from edgecore.ids import NewId, seeded_ids

IDENTITY = [("Node_id", "edge-1"), ("Project_id", "p"), ("Connectionuse", "msg"), ("Connectionuse", "msg")]


class ScriptedEdge:
    """An edge node that does what the test says."""

    def __init__(self, connection: ClientConnection, new_id: NewId) -> None:
        self.connection = connection
        self.new_id = new_id
        self.taken: list[dict[str, Any]] = []
        """What ``take_and_acknowledge`` has taken."""

    async def send(self, operation: str, resource: str, content: Any = None, **header: str) -> str:
        """Send a message as edged does, and return its id."""
        message_id = self.new_id()
        await self.connection.send(self.text(message_id, operation, resource, content, **header))
        return message_id

    def text(self, message_id: str, operation: str, resource: str, content: Any = None, **header: str) -> str:
        source, group = header.pop("source", "edged"), header.pop("group", "meta")
        document = {
            "header": {"msg_id": message_id, "timestamp": 5, **header},
            "route": {"source": source, "group": group, "operation": operation, "resource": resource},
            "content": content,
        }
        return json.dumps(document) + "\n"

    async def receive(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(await self.connection.recv())
        return document

    async def ask(self, operation: str, resource: str, content: Any = None) -> dict[str, Any]:
        """Send a request and return the answer to it."""
        message_id = await self.send(operation, resource, content)
        answer = await self.receive()
        assert answer["header"]["parent_msg_id"] == message_id
        return answer

    async def acknowledge(self, document: dict[str, Any]) -> None:
        await self.send(
            "response",
            document["route"]["resource"],
            "OK",
            parent_msg_id=document["header"]["msg_id"],
            source="edgecontroller",
            group="resource",
        )

    async def take_and_acknowledge(self, count: int) -> None:
        for _ in range(count):
            document = await self.receive()
            self.taken.append(document)
            await self.acknowledge(document)


class Reply(NamedTuple):
    """An answer of the https port."""

    status: int
    headers: dict[str, str]
    body: bytes


class Joiner:
    """An edge's half of joining, written out: a key, a CSR, requests byte by byte, TLS with or without certificate."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kubeedge.io")])
        request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(self._key, SHA256())
        self.csr = request.public_bytes(serialization.Encoding.DER)
        self.ca = b""
        """The CA certificate (DER), once fetched."""
        self.certificate = b""
        """The edge's certificate (DER), once given."""

    async def join(self, stub: Stub) -> None:
        """Fetch the CA and a certificate, as an edge does."""
        assert stub.joining.url is not None
        unchecked = ssl.create_default_context()
        unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
        self.ca = (await self.ask(stub.joining.url, "/ca.crt", context=unchecked)).body
        bearer = {"Authorization": f"Bearer {stub.joining.tokens.current.partition('.')[2]}"}
        reply = await self.ask(stub.joining.url, "/edge.crt", headers=bearer, body=self.csr)
        assert reply.status == 200
        self.certificate = reply.body

    def context(self, certificate: bytes = b"") -> ssl.SSLContext:
        """Return TLS that trusts the CA alone, strictly, and shows ``certificate`` (DER) with our key."""
        context = ssl.create_default_context(cadata=self.ca)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        if certificate:
            key = self._key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            file = self._directory / "client.pem"
            file.write_bytes(ssl.DER_cert_to_PEM_cert(certificate).encode() + key)
            context.load_cert_chain(file)
        return context

    @property
    def public_key(self) -> bytes:
        return _public(self._key.public_key())

    def public_key_of(self, certificate: bytes) -> bytes:
        return _public(x509.load_der_x509_certificate(certificate).public_key())

    async def ask(
        self,
        url: str,
        path: str,
        *,
        context: ssl.SSLContext | None = None,
        method: str = "GET",
        headers: dict[str, str] | None = None,
        body: bytes = b"",
    ) -> Reply:
        """Ask the https port once, by default without a certificate."""
        fields = {"Host": "x", "Connection": "close", **(headers or {})}
        if body:
            fields["Content-Length"] = str(len(body))
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return self.reply_of(await self.exchange(url, head.encode() + b"\r\n" + body, context))

    async def exchange(self, url: str, request: bytes, context: ssl.SSLContext | None = None) -> bytes:
        """Send these bytes, and return all that comes back until the other side closes, however it does."""
        host, _, port = url.rpartition("/")[2].rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port), ssl=context or self.context())
        data = b""
        try:
            writer.write(request)
            with suppress(ssl.SSLError, ConnectionError):
                while chunk := await reader.read(65536):
                    data += chunk
        finally:
            writer.transport.abort()
        return data

    def reply_of(self, data: bytes) -> Reply:
        head, _, body = data.partition(b"\r\n\r\n")
        first, *rest = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in rest)
        return Reply(int(first.split()[1]), headers, body[: int(headers.get("Content-Length", len(body)))])


def _public(key: Any) -> bytes:
    encoded: bytes = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return encoded


@pytest.fixture
def joiner(tmp_path: Path) -> Joiner:
    return Joiner(tmp_path)


MakeStub = Callable[..., Awaitable[Stub]]
MakeEdge = Callable[..., Awaitable[ScriptedEdge]]


@pytest.fixture
async def make_stub(tmp_path: Path) -> AsyncIterator[MakeStub]:
    """Start stubs on free ports; stopped at the end."""
    async with AsyncExitStack() as stack:

        async def make(clock: Clock | None = None, **settings: Any) -> Stub:
            all_settings = {"state_dir": tmp_path, "listen": "127.0.0.1:0", "observe": "off", "plain": True, **settings}
            stub = Stub(Settings(**all_settings), clock=clock, new_id=seeded_ids(1))
            await stub.start()
            stack.push_async_callback(stub.stop)
            return stub

        yield make


@pytest.fixture
async def make_edge() -> AsyncIterator[MakeEdge]:
    """Connect edges; closed at the end."""
    async with AsyncExitStack() as stack:

        async def make(
            stub: Stub,
            node: str = "edge-1",
            *,
            path: str = "/p/edge-1/events",
            tls: ssl.SSLContext | None = None,
            agent: str = "edgecore",
        ) -> ScriptedEdge:
            headers = [(name, node if name == "Node_id" else value) for name, value in IDENTITY]
            connection = await connect(
                stub.server.url + path,
                additional_headers=headers,
                ssl=tls,
                user_agent_header=agent,
                compression=None,
                ping_interval=None,
                close_timeout=1,
                max_size=None,
                proxy=None,
            )
            stack.push_async_callback(connection.close)
            return ScriptedEdge(connection, seeded_ids(2))

        yield make


@pytest.fixture
def turns() -> Callable[[Callable[[], bool]], Awaitable[None]]:
    """Return a function that lets everything go on until a condition holds; the test's own timeout ends it."""

    async def until(holds: Callable[[], bool]) -> None:
        while not holds():
            await asyncio.sleep(0.001)

    return until
