"""How long one host may take to accept a connection while another may be tried (pure)."""

from edgecore.modules.edgemesh.upstream.policy import Policy

PATIENCE_S = 0.9
"""A host that takes longer has lost the first packet, which TCP sends again after a second, or is not there at all."""


def patience_s(policy: Policy) -> float:
    """Return for how many seconds: all hosts that one client may be sent to get their share of the connect timeout."""
    return min(PATIENCE_S, policy.connect_timeout_s / (policy.retries + 1))
