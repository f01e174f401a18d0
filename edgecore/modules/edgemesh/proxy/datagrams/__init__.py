"""UDP: the datagrams of each client go to one host as long as they keep coming, and its replies to that client."""
