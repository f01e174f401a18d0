"""How names are spelled: of objects, labels, ports and environment variables (RFC 1123, RFC 1035, RFC 6335).

Each function returns what is wrong with a text, as a sentence about "it", and an empty text when nothing is. Source:
kubernetes staging/src/k8s.io/apimachinery/pkg/util/validation/validation.go.
"""

import re

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_ENV = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_PORT = re.compile(r"(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*")
_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]+")

MAX_LABEL = 63
MAX_SUBDOMAIN = 253
MAX_PORT_NAME = 15


def label_fault(text: str) -> str:
    """Name of a namespace, container or volume: an RFC 1123 label."""
    return _fault(text, _LABEL, MAX_LABEL, "lower case letters, digits and '-', a letter or digit at both ends")


def service_name_fault(text: str) -> str:
    """Name of a service: an RFC 1035 label."""
    return _fault(
        text, _LABEL_1035, MAX_LABEL, "lower case letters, digits and '-', a letter first, a letter or digit last"
    )


def subdomain_fault(text: str) -> str:
    """Name of any other object: an RFC 1123 subdomain."""
    return _fault(
        text,
        _SUBDOMAIN,
        MAX_SUBDOMAIN,
        "lower case letters, digits, '-' and '.', a letter or digit at both ends of each part",
    )


def qualified_name_fault(text: str) -> str:
    """Key of a label, an annotation, a taint or a resource: a name, maybe behind a prefix such as ``example.org/``."""
    prefix, slash, name = text.rpartition("/")
    if slash and subdomain_fault(prefix):
        return f"its prefix {prefix[:MAX_LABEL]!r}, before the '/', must be a DNS name"
    return _fault(name, _QUALIFIED, MAX_LABEL, "letters, digits, '-', '_' and '.', a letter or digit at both ends")


def label_value_fault(text: str) -> str:
    """Value of a label."""
    if not text:
        return ""
    return _fault(text, _QUALIFIED, MAX_LABEL, "letters, digits, '-', '_' and '.', a letter or digit at both ends")


def env_name_fault(text: str) -> str:
    """Name of an environment variable."""
    return _fault(text, _ENV, 4096, "letters, digits, '_', '-' and '.', no digit first")


def port_name_fault(text: str) -> str:
    """Name of a container port, which a service may call its target port (RFC 6335)."""
    return _fault(
        text, _PORT, MAX_PORT_NAME, "lower case letters, digits and single '-' between them, at least one letter"
    )


def data_key_fault(text: str) -> str:
    """Key in the data of a ConfigMap or Secret: it becomes a file name."""
    if text in (".", "..") or text.startswith(".."):
        return "it must not begin with '..' or be '.'"
    return _fault(text, _DATA_KEY, MAX_SUBDOMAIN, "letters, digits, '-', '_' and '.'")


def _fault(text: str, pattern: re.Pattern[str], most: int, rule: str) -> str:
    if not text:
        return "it is empty"
    if len(text) > most:
        return f"it has {len(text)} characters, at most {most} are allowed"
    return "" if pattern.fullmatch(text) else f"it is {text!r}, allowed are {rule}"
