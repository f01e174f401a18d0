"""What the node needs beside its files: its cloud, an MQTT broker, open files, the libraries it was made for (pure)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from edgecore.doctor.finding import Finding

_CLOUD, _BROKER, _FILES, _LIBRARIES = "cloud", "mqtt", "open_files", "libraries"
FEW_FILES = 1024
"""Each port of a service and each connection is one; the node itself has about fifty."""
_SOON_DAYS = 30
_REQUIREMENT = re.compile(r"([\w.-]+)\s*>=\s*([\w.]+)\s*(?:;(.*))?$")
_HANDSHAKE = ("certificate", "hostname", "tls", "ssl")


class Reached(NamedTuple):
    """What came of connecting to an address."""

    why_not: str = ""
    """Empty: somebody answers."""
    not_after: float | None = None
    """Until when the certificate is good that was shown, in seconds of Unix time; ``None`` without one."""


def check_cloud(what: str, address: str, reached: Reached, now: datetime, key: str) -> Iterator[Finding]:
    """Say whether the cloud can be reached at ``address``, which the setting ``key`` names, and how long so."""
    if reached.why_not:
        text = f"the cloud's {what} at {address} cannot be reached: {reached.why_not}"
        if any(word in reached.why_not.lower() for word in _HANDSHAKE):
            advice = "join anew, if the cloud has another CA or name: edgecore join --force; is the clock right?"
            yield Finding("problem", _CLOUD, text, advice)
            return
        advice = f"is {key} right, and does the cloud run? The node tries again until it does"
        yield Finding("warning", _CLOUD, text, advice)
        return
    text = f"the cloud's {what} at {address} answers"
    if reached.not_after is None:
        yield Finding("ok", _CLOUD, text)
        return
    until = datetime.fromtimestamp(reached.not_after, UTC)
    if (until - now).days < _SOON_DAYS:
        advice = "renew the certificate of the cloud; after that day no edge connects"
        yield Finding("warning", _CLOUD, f"{text}, but its certificate ends on {until:%Y-%m-%d}", advice)
    else:
        yield Finding("ok", _CLOUD, f"{text}; its certificate is good until {until:%Y-%m-%d}")


def check_broker(url: str, reached: Reached) -> Finding:
    """Say whether the external MQTT broker is there."""
    if not reached.why_not:
        return Finding("ok", _BROKER, f"an MQTT broker answers at {url}")
    text = f"no MQTT broker answers at {url}: {reached.why_not}; devices cannot speak to the node"
    advice = (
        "sudo apt install mosquitto; or modules.eventBus.mqttServerExternal of another one; or mqttMode: 0, the"
        " node's own (make broker); where there are no devices: eventBus.enable: false"
    )
    return Finding("note", _BROKER, text, advice)


def check_own_broker(url: str, problem: str) -> Finding:
    """Say whether the embedded MQTT broker can be started; ``problem`` is why not."""
    if not problem:
        return Finding("ok", _BROKER, f"the node runs an MQTT broker of its own at {url}")
    reason, _, advice = problem.partition("; ")
    return Finding("problem", _BROKER, reason, advice or "make broker")


def check_open_files(limit: int | None) -> list[Finding]:
    """Say whether the node may open enough files; ``limit`` is the hard one, to which it raises its own."""
    if limit is None or limit > FEW_FILES:
        told = "as many files as it likes" if limit is None else f"{limit} files"
        return [Finding("ok", _FILES, f"the node may open {told}")]
    text = f"the node may open {limit} files: so many ports of services and connections, all together, at most"
    advice = "LimitNOFILE=65536 in its service; in a shell, as root: ulimit -Hn 65536"
    return [Finding("warning", _FILES, text, advice)]


def check_libraries(wanted: Sequence[str], found: Mapping[str, str]) -> Iterator[Finding]:
    """Say whether the libraries are there, and new enough; ``wanted`` are requirements such as ``aiohttp>=3.12``.

    ``found``: names to versions of what is installed.
    """
    checked = 0
    for one in wanted:
        asked = _REQUIREMENT.match(one.partition(" extra ")[0]) if "extra ==" not in one else None
        if asked is None:
            continue
        name, least, _ = asked.groups()
        checked += 1
        has = found.get(name.lower())
        if has is None or _numbers(has) < _numbers(least):
            text = f"{name} {has} is older than {least}" if has else f"{name} is missing; {least} or newer is needed"
            advice = f"in the node's environment: python3 -m pip install '{name}>={least}'"
            yield Finding("problem", _LIBRARIES, text, advice)
            checked = -len(wanted)
    if checked > 0:
        yield Finding("ok", _LIBRARIES, f"{checked} libraries are installed, and new enough")
    elif checked == 0:
        text = "edgecore is not installed, but run from its files: nobody says which libraries it needs"
        yield Finding("note", _LIBRARIES, text, "python3 -m pip install --editable .")


def _numbers(version: str) -> tuple[int, ...]:
    """Return what a version is compared by: the numbers at its beginning."""
    plain = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(map(int, plain[0].split("."))) if plain else ()
