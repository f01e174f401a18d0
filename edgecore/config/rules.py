"""What a setting may be: each rule is a test, and the words in which it is told to people."""

import re
import shlex
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from edgecore.config.addresses import (
    AUTO,
    is_ip,
    parse_broker,
    parse_host_port,
    parse_port_target,
    parse_server,
    parse_subnet,
    parse_zone_servers,
)

INT32_MAX = 2**31 - 1
INT64_MAX = 2**63 - 1


class Rule(NamedTuple):
    """What a setting may be."""

    allowed: str
    """Completes the sentence "allowed: ..."."""
    accepts: Callable[[Any], bool]
    why: str = ""
    """The reason, where the words of ``allowed`` do not give it; told in errors."""

    def __str__(self) -> str:
        return f"{self.allowed} ({self.why})" if self.why else self.allowed


def between(low: int, high: int, unit: str = "") -> Rule:
    """Whole numbers from ``low`` to ``high``, both included."""
    what = f"a whole number of {unit}" if unit else "a whole number"
    return Rule(f"{what} from {low} to {high}", lambda value: low <= value <= high)


def _safely(test: Callable[[str], object]) -> Callable[[str], bool]:
    """Make a rule's test of one that may raise ``ValueError`` for no."""

    def accepts(text: str) -> bool:
        try:
            return bool(test(text))
        except ValueError:
            return False

    return accepts


def _matches(pattern: str, longest: int) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda text: len(text) <= longest and compiled.fullmatch(text) is not None


def _is_listen_address(text: str) -> bool:
    return text == AUTO or is_ip(parse_host_port(text).host)


def _is_name_server(text: str) -> bool:
    host, port = parse_host_port(text, 53)
    return is_ip(host) and port > 0


def _is_absolute_file(text: str) -> bool:
    return text.startswith("/") and not text.endswith("/")


def _is_web_address(text: str) -> bool:
    if text == "":
        return True
    parts = urlsplit(text)
    return parts.scheme in ("http", "https") and parse_host_port(parts.netloc, 443).port > 0


def _is_broker(text: str) -> bool:
    return parse_broker(text).scheme in ("tcp", "mqtt", "ssl", "tls", "mqtts")


def _is_plain_broker(text: str) -> bool:
    return parse_broker(text).scheme in ("tcp", "mqtt")


def _is_topic(text: str) -> bool:
    return len(text.encode()) <= 65_535 and not set(text) & set("+#\0")


def _is_image_command(text: str) -> bool:
    image, _, command = text.partition("=")
    return bool(image.strip() and shlex.split(command))


def _is_loopback_pool(network: IPv4Network) -> bool:
    return network.is_loopback and network.network_address.packed[1] != 0


_DNS_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DNS_NAME = rf"{_DNS_LABEL}(\.{_DNS_LABEL})*"
_WHY_ABSOLUTE = (
    "the node may be started from any directory and by any user, so a relative path or ~ has no fixed meaning"
)

POSITIVE = between(1, INT32_MAX)
NOT_NEGATIVE = between(0, INT64_MAX)
WHOLE_SECONDS = between(1, INT32_MAX, "seconds")
SECONDS = Rule("a number of seconds above 0, up to 86400", lambda value: 0 < value <= 86400)
SECONDS_OR_NEVER = Rule("a number of seconds up to 86400, or 0", lambda value: 0 <= value <= 86400)
PORT = between(1, 65535)
PERCENT = between(0, 100)

NOT_EMPTY = Rule("text that is not empty", bool)
INTERFACE = Rule("a name of a network interface, of up to 15 characters", _matches(r"(?!-)[A-Za-z0-9._@-]+(?<!\.)", 15))
IPV4_ADDRESS = Rule("an IPv4 address such as 169.254.96.16", _safely(IPv4Address))
IP_ADDRESS = Rule("an IP address such as 192.0.2.10", is_ip)
LISTEN = Rule(
    "auto, or an IP address and a port such as 127.0.0.1:10053 (port 0: any free one)",
    _safely(_is_listen_address),
)
LISTENS = Rule(
    "auto, an IP address and a port such as 127.0.0.1:53, or a list of them such as [127.0.0.1:53, '[::1]:53']",
    lambda listens: listens == (AUTO,) or bool(listens and AUTO not in listens and all(map(LISTEN.accepts, listens))),
)
HOST_PORT = Rule(
    "host:port such as 192.0.2.10:10000, port from 1 to 65535",
    _safely(lambda text: parse_host_port(text).port > 0),
)
WEBSOCKET_SERVER = Rule(
    "host:port such as 192.0.2.10:10000, optionally with ws:// or wss:// before it and nothing after it",
    _safely(lambda text: parse_server(text, "wss").scheme in ("ws", "wss")),
)
BROKER = Rule(
    "tcp://host:port such as tcp://192.0.2.10:1883, or ssl:// instead of tcp:// (mqtt://, tls:// and mqtts:// too); "
    "the port may be left out",
    _safely(_is_broker),
)
PLAIN_BROKER = Rule(
    "tcp://host:port such as tcp://127.0.0.1:1884 (mqtt:// too), without TLS; the port may be left out",
    _safely(_is_plain_broker),
)
TOPIC = Rule("an MQTT topic without + and #, or nothing", _safely(_is_topic))
CLIENT_ID = Rule("letters, digits, and any of . _ : -, up to 65, or nothing", _matches(r"[A-Za-z0-9._:-]*", 65))
FILE_OR_NOTHING = Rule(
    "an absolute path of a file, or nothing", lambda text: text == "" or _is_absolute_file(text), _WHY_ABSOLUTE
)
NAME_SERVERS = Rule(
    "a list of IP addresses, each with or without a port, such as [192.0.2.53, 127.0.0.1:5353]",
    lambda servers: all(map(_safely(_is_name_server), servers)),
)
ZONE_SERVERS = Rule(
    "a list of zones, each one once, with their name servers, such as"
    " [corp.example=10.0.0.53, 'lab.example=10.0.0.54,10.0.0.55:5353']",
    _safely(lambda zones: len({parse_zone_servers(one)[0] for one in zones}) == len(zones)),
)
PORT_TARGETS = Rule(
    "a list of ports, each one once, with the places that they stand for, such as"
    " [8080=192.0.2.20:80, '9000=[::1]:9000']",
    _safely(lambda targets: len({parse_port_target(one)[0] for one in targets}) == len(targets)),
)
IPV6_PREFIX = Rule(
    "an IPv6 network of 96 bits such as fd00:ec::/96, or nothing",
    _safely(lambda text: text == "" or IPv6Network(text).prefixlen == 96),
)
WEB_ADDRESS = Rule(
    "an https:// or http:// address such as https://192.0.2.10:10002, or nothing",
    _safely(_is_web_address),
)
SUBNET = Rule("an IPv4 network of 16 bits such as 9.251.0.0/16", _safely(parse_subnet))
LOOPBACK_SUBNET = Rule(
    "an IPv4 network of 16 bits inside 127.0.0.0/8 such as 127.251.0.0/16, but not 127.0.0.0/16, where 127.0.0.1 is",
    _safely(lambda text: _is_loopback_pool(parse_subnet(text))),
)
FILE = Rule("an absolute path of a file", _is_absolute_file, _WHY_ABSOLUTE)
FILE_OR_LOG = Rule(
    "an absolute path of a file, or -, or nothing",
    lambda text: text in ("", "-") or _is_absolute_file(text),
    _WHY_ABSOLUTE,
)
HASH_KEY = Rule(
    "source, header:NAME or cookie:NAME",
    _matches(r"source|(header|cookie):[!#-'*+.0-9A-Z^-z|~-]{1,100}", 110),
)
SOCKET_FILE = Rule(
    "auto, or an absolute path of a file", lambda text: text == AUTO or _is_absolute_file(text), _WHY_ABSOLUTE
)
AUTO_DIRECTORY = Rule(
    "auto, or an absolute path of a directory", lambda text: text == AUTO or text.startswith("/"), _WHY_ABSOLUTE
)
POD_RUNTIME = Rule(
    "simulated or process",
    lambda text: text in ("simulated", "process"),
    "there is no runtime for docker or containerd: a command for the image in processImages stands for it",
)
IMAGE_COMMANDS = Rule(
    "a list of IMAGE=COMMAND ARGUMENT..., quoted as in a shell, such as"
    " ['nginx=python3 -m http.server {hostPort}', 'busybox:1.31=sleep 1000']",
    lambda entries: all(map(_safely(_is_image_command), entries)),
)
NODE_NAME = Rule(
    "a Kubernetes name: lower-case letters, digits, - and . (a letter or digit first and last in each part), up to 253",
    _matches(_DNS_NAME, 253),
)
NAMESPACE = Rule(
    "a Kubernetes namespace: lower-case letters, digits and - (a letter or digit first and last), up to 63",
    _matches(_DNS_LABEL, 63),
)
NAMESPACE_OR_NOTHING = Rule(f"{NAMESPACE.allowed}; or nothing", lambda text: text == "" or NAMESPACE.accepts(text))
CLUSTER_DOMAIN = Rule("a DNS name such as cluster.local, or nothing", _matches(rf"({_DNS_NAME})?", 200))
CLUSTER_DOMAINS = Rule(
    "a list of DNS names such as [cluster.local]",
    lambda names: all(name and CLUSTER_DOMAIN.accepts(name) for name in names),
)
VERSION = Rule(
    "a version such as 1.3.1, with or without a v before it", _matches(r"v?[0-9]{1,4}(\.[0-9]{1,4}){1,2}", 20)
)
URL_SEGMENT = Rule("letters, digits, and any of . _ ~ -, up to 253", _matches(r"[A-Za-z0-9._~-]+", 253))
