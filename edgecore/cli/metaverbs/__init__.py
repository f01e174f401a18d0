"""The commands below ``edgecore meta``, one file each, and what they share."""
