"""How long a host lets its clients wait: a moving average that rises at once and falls slowly (peak EWMA)."""

from edgecore.modules.edgemesh.upstream.host import Host

_WEIGHT = 0.2
"""Of one answer that was quicker than the average."""
_SHORTEST_S = 1e-6
"""An average of 0 means that there was no answer yet."""
_FAILURE_RAISES = 4.0
_FAILED_FIRST_S = 1.0
_LONGEST_S = 3600.0


def observe(host: Host, seconds: float) -> None:
    """Take note that the first byte of an answer came ``seconds`` after its request was sent.

    To be called by whoever forwards, whatever strategy there is: it may be another one a moment later.
    """
    average = host.ewma_s
    if seconds > average:
        host.ewma_s = seconds
    else:
        host.ewma_s = average + _WEIGHT * (seconds - average) or _SHORTEST_S


def observe_failure(host: Host) -> None:
    """Take note that a request failed at ``host``: it counts as four times as slow from now on.

    So a host that refuses at once does not look like a quick one.
    """
    host.ewma_s = min(host.ewma_s * _FAILURE_RAISES or _FAILED_FIRST_S, _LONGEST_S)
