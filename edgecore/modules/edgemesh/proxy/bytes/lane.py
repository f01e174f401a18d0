"""What all connections of bytes in one process share: the buffer that bytes are copied through, and the pipes."""

from edgecore.modules.edgemesh.proxy.bytes.pipes import Pipes

_SMALL_BYTES = 64 * 1024


class Lane:
    """The buffer holds bytes only within one call; what cannot be sent at once is kept by its direction."""

    def __init__(self, pipes: Pipes, buffer_bytes: int) -> None:
        self.pipes = pipes
        self.large = memoryview(bytearray(buffer_bytes))
        """To read into where much comes."""
        self.small = self.large[:_SMALL_BYTES]
        """To read into: its beginning."""
