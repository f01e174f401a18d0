"""Kubernetes quantities, the amounts of cpu, memory and the like: ``100m``, ``64Mi``, ``1e3``, ``0.5``, ``2``.

Source: kubernetes staging/src/k8s.io/apimachinery/pkg/api/resource/quantity.go. An amount above 2**63 - 1 counts as
that; one that is finer than the unit asked for is rounded away from zero: who asks for little gets some.
"""

import re
from fractions import Fraction

from cloudhub_stub.errors import Invalid

MAX_AMOUNT = 2**63 - 1
_MAX_CHARS = 64
_QUANTITY = re.compile(
    r"(?P<sign>[+-]?)(?P<digits>[0-9]+\.?[0-9]*|\.[0-9]+)"
    r"(?:[eE](?P<exponent>[+-]?[0-9]{1,3})|(?P<suffix>[KMGTPE]i|[numkMGTPE]?))"
)
_FACTORS = {
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    "": Fraction(1),
    **{suffix: Fraction(1000**power) for power, suffix in enumerate("kMGTPE", 1)},
    **{f"{suffix}i": Fraction(1024**power) for power, suffix in enumerate("KMGTPE", 1)},
}


def amount(value: str | float) -> Fraction:
    """Return the exact amount, in units (cores, bytes, pods). Raises ``Invalid`` without a field.

    Numbers are taken besides text, as they stand in manifests: ``cpu: 2``.
    """
    text = str(value)
    match = _QUANTITY.fullmatch(text) if len(text) <= _MAX_CHARS and not isinstance(value, bool) else None
    if match is None:
        raise Invalid("", f"{text[:_MAX_CHARS]!r} is no quantity such as 100m, 0.5, 2, 64Mi or 1e3")
    exponent = match["exponent"]
    factor = Fraction(10) ** int(exponent) if exponent else _FACTORS[match["suffix"]]
    found = min(Fraction(match["digits"].rstrip(".")) * factor, Fraction(MAX_AMOUNT))
    return -found if match["sign"] == "-" else found


def milli(value: str | float) -> int:
    """Return the amount in 1/1000 units, rounded away from zero. Raises ``Invalid`` without a field."""
    return _rounded(amount(value) * 1000)


def whole(value: str | float) -> int:
    """Return the amount in units, rounded away from zero. Raises ``Invalid`` without a field."""
    return _rounded(amount(value))


def canonical(value: str | float) -> str:
    """Return how Kubernetes writes the amount: ``0.5`` as ``500m``, ``1024Mi`` as ``1Gi``, ``1000m`` as ``1``.

    Binary and exponential amounts stay so where they can. Raises ``Invalid`` without a field.
    """
    found = amount(value)
    text = str(value)
    if text.endswith("i") and abs(found) >= 1024 and found.denominator == 1:
        return _written(found, 1024, [f"{suffix}i" if suffix else "" for suffix in ("", *"KMGTPE")])
    is_exponential = "e" in text or ("E" in text and not text.endswith("E"))
    scaled = found * 10**9
    nano = Fraction(_rounded(scaled))
    suffixes = (
        [f"e{power}" if power else "" for power in range(-9, 19, 3)] if is_exponential else [*"num", "", *"kMGTPE"]
    )
    return _written(nano, 1000, suffixes) if nano else "0"


def _written(number: Fraction, base: int, suffixes: list[str]) -> str:
    """Return a whole number with the largest suffix that leaves it whole."""
    size = int(number)
    power = 0
    while size % base == 0 and power < len(suffixes) - 1:
        size //= base
        power += 1
    return f"{size}{suffixes[power]}"


def _rounded(number: Fraction) -> int:
    size = -(-abs(number.numerator) // number.denominator)
    return -size if number < 0 else size
