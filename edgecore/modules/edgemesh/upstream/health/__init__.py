"""Which hosts are left out for a while, because requests or checks of them fail."""
