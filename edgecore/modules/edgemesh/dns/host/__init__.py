"""The node as the host's resolver: its resolv.conf changed, if that is wanted, and put back."""
