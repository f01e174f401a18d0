"""What only one node of a machine can have is held by one, and free when that has ended."""

import os

import pytest

from edgecore.errors import InterceptError
from edgecore.modules.edgemesh.intercept.alone import Alone

WHAT = f"address of the test {os.getpid()}"


def test_what_one_holds_another_is_refused_with_the_advice_until_it_is_let_go() -> None:
    one, other = Alone(), Alone()
    one.claim(WHAT, "take another one")
    one.claim(WHAT, "take another one")
    with pytest.raises(InterceptError, match=f"another node of this machine has the {WHAT}; take another one") as told:
        other.claim(WHAT, "take another one")
    assert told.value.reason == "in_use"
    one.close()
    other.claim(WHAT, "take another one")
    other.close()


def test_a_name_that_is_too_long_for_a_socket_is_refused() -> None:
    with pytest.raises(InterceptError, match="cannot be held"):
        Alone().claim("x" * 200, "")
