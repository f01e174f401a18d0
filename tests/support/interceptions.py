"""Interceptions for tests: one of every kind, and any that a few spots and targets allow."""

from hypothesis import strategies as st

from edgecore.modules.edgemesh.intercept.rules.interception import (
    Balanced,
    Interception,
    NameHijack,
    Spot,
    Spots,
    Target,
)
from edgecore.modules.edgemesh.names import Endpoint

OURS = "169.254.96.16"
INTERCEPTION = Interception("edgecore_7", "docker0", "9.251.0.0/16", OURS, 0x2A)
SPOTS = (Spot("9.251.0.1", 80, "tcp"), Spot("9.251.0.1", 80, "udp"), Spot("9.251.0.2", 443, "tcp"))
NAMES = NameHijack(("127.0.0.53", "8.8.8.8", OURS), Endpoint(OURS, 53))


def target(spot: Spot, number: int) -> Target:
    """Return the target of a spot that ``number`` (up to 9) means, whenever it comes and goes."""
    place = SPOTS.index(spot)
    return Target(10 * place + number, Endpoint(f"10.0.{place}.{number}", 8080))


def balanced(spot: Spot, *numbers: int, sticky_s: float = 0.0) -> Balanced:
    """Return how a spot is balanced, round robin, to these targets."""
    return Balanced(tuple(target(spot, number) for number in numbers), sticky_s=sticky_s)


@st.composite
def any_spots(draw: st.DrawFn) -> Spots:
    """Any of the spots, led anywhere, balanced or not."""
    led = {spot: Endpoint(OURS, draw(st.integers(4000, 4002))) for spot in SPOTS if draw(st.booleans())}
    kernels = {
        spot: Balanced(
            tuple(target(spot, number) for number in draw(st.lists(st.integers(0, 3), max_size=4))),
            draw(st.sampled_from(("random", "round_robin"))),
            draw(st.sampled_from((0.0, 60.0, 600.0))),
        )
        for spot in led
        if draw(st.booleans())
    }
    return Spots(led, kernels, draw(st.sampled_from((None, NAMES, NameHijack(("8.8.8.8",), Endpoint(OURS, 5300))))))
