"""MQTT topics inside resources: base64url with padding, as EventBus sends them to DeviceTwin and to the cloud.

Source: ``kubeedge edge/pkg/eventbus/mqtt/client.go:91-111@v1.3.1``.
"""

from base64 import b64decode, urlsafe_b64encode
from binascii import Error


def topic_resource(topic: str) -> str:
    """Return the resource that stands for ``topic``."""
    return urlsafe_b64encode(topic.encode(errors="surrogatepass")).decode()


def topic_of(resource: str) -> str | None:
    """Return the topic that ``resource`` stands for; ``None`` where it stands for none."""
    try:
        return b64decode(resource.encode("ascii"), altchars=b"-_", validate=True).decode()
    except (Error, ValueError):
        return None
