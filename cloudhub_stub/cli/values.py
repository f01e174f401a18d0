"""Values on the command line: read, and refused with words that say what is wanted."""

import argparse
import math

from cloudhub_stub.settings import HUNDRED_YEARS_DAYS


def seconds(text: str) -> float:
    """Return a duration; 0 is one."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return value


def some_seconds(text: str) -> float:
    """Return a duration that is not 0."""
    value = seconds(text)
    if value == 0:
        raise argparse.ArgumentTypeError("must be more than 0 seconds")
    return value


def some_days(text: str) -> float:
    """Return a number of days, or a part of one, above 0 and up to a hundred years."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= HUNDRED_YEARS_DAYS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days above 0, up to {HUNDRED_YEARS_DAYS:g}")
    return value


def fraction_of_a_second(text: str) -> float:
    """Return a duration of one second at most."""
    value = seconds(text)
    if value > 1:
        raise argparse.ArgumentTypeError("must be 1 second or less")
    return value


def count(text: str) -> int:
    """Return a whole number from 1 on."""
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)
