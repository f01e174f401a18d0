"""The mark of our own packets (SO_MARK, socket(7)): rules that lead traffic to us let what carries it through."""

import socket

MARK = 0x20D6
"""Without the bits that kube-proxy, Calico, Cilium, Tailscale and Antrea look at: theirs are 0x4000, 0x8000, those from
0x10000 on, and 0x0F00."""


def why_no_mark() -> str:
    """Return why this process cannot mark its packets; empty: it can. It needs CAP_NET_ADMIN, or CAP_NET_RAW."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, MARK)
    except (OSError, AttributeError) as error:  # SO_MARK is Linux's alone
        return getattr(error, "strerror", None) or str(error)
    return ""
