import pytest

from edgecore.errors import ContentError
from edgecore.modules.edgemesh.explain.asked import Asked, host_header, parse


@pytest.mark.parametrize(
    ("text", "host", "port", "transport", "scheme"),
    [
        ("web", "web", None, None, ""),
        ("web:80", "web", 80, None, ""),
        ("web.shop.svc.cluster.local.", "web.shop.svc.cluster.local", None, None, ""),
        ("dns:53/udp", "dns", 53, "udp", ""),
        ("dns:53/TCP", "dns", 53, "tcp", ""),
        ("shop/cart", "cart.shop", None, None, ""),
        ("shop/cart:80", "cart.shop", 80, None, ""),
        ("http://web", "web", 80, "tcp", "http"),
        ("HTTPS://web/path?query#part", "web", 443, "tcp", "https"),
        ("wss://user:secret@web:8443/", "web", 8443, "tcp", "wss"),
        ("tcp://web", "web", None, "tcp", "tcp"),
        ("udp://web:53", "web", 53, "udp", "udp"),
        ("_http._tcp.web.default", "_http._tcp.web.default", None, None, ""),
    ],
)
def test_a_name_is_taken_apart(text: str, host: str, port: int | None, transport: str, scheme: str) -> None:
    asked = parse(text)
    assert (asked.host, asked.port, asked.transport, asked.scheme) == (host, port, transport, scheme)
    assert not asked.is_address


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.251.0.1", "127.251.0.1", None),
        ("127.251.0.1:80", "127.251.0.1", 80),
        ("http://127.251.0.1/", "127.251.0.1", 80),
        ("[::1]:80", "::1", 80),
        ("[FE80::1]", "fe80::1", None),
        ("::1", "::1", None),
    ],
)
def test_an_address_is_asked_for_as_an_address(text: str, host: str, port: int | None) -> None:
    asked = parse(text)
    assert (asked.host, asked.port, asked.is_address) == (host, port, True)


def test_a_bare_name_is_one_of_the_namespace_that_is_given() -> None:
    assert parse("cart:80", "shop") == Asked("cart:80", "cart.shop", port=80, namespace="shop")
    assert parse("cart.other", "shop").host == "cart.other"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "neither a name of DNS nor an IP address"),
        ("a..b", "neither a name of DNS nor an IP address"),
        ("-a", "neither a name of DNS nor an IP address"),
        ("a" * 64, "neither a name of DNS nor an IP address"),
        ("a b", "neither a name of DNS nor an IP address"),
        ("web:0", "'0' is no port"),
        ("web:65536", "'65536' is no port"),
        ("web:http", "'http' is no port"),
        ("web:", "'' is no port"),
        ("web:٣", "is no port"),
        ("ftp://web", "no URL that begins with ftp: leads through the mesh"),
        ("/web", "'' is no namespace"),
        ("a.b/web", "'a.b' is no namespace"),
        ("shop/cart.other", "there is one word, the service"),
        ("[::1", "neither a name of DNS nor an IP address"),
    ],
)
def test_what_can_be_neither_says_why(text: str, why: str) -> None:
    with pytest.raises(ContentError, match="cannot explain") as caught:
        parse(text)
    assert why in str(caught.value)
    assert "ask for NAME" in str(caught.value)


def test_a_password_in_a_url_is_not_told() -> None:
    asked = parse("http://anna:secret@web:80/path")
    assert (asked.text, asked.host) == ("http://web:80/path", "web")


@pytest.mark.parametrize("namespace", ["a..b", "shop.svc", "x" * 64, "a b"])
def test_a_namespace_is_one_label(namespace: str) -> None:
    with pytest.raises(ContentError, match="is no namespace"):
        parse("web", namespace)


def test_a_host_header_is_read_as_the_proxy_reads_it() -> None:
    assert host_header("web.shop") == ("web.shop", 80)
    assert host_header("web:8080") == ("web", 8080)
    for text in ("web:²", "web:65536", "web:0", ":80", "web:" + "9" * 5000, "a b"):
        with pytest.raises(ContentError, match="cannot explain the Host header"):
            host_header(text)
