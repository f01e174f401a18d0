"""What is to be in the kernel, as values and as the texts of nft, iptables and ip; pure."""
