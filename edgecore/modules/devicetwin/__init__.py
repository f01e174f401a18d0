"""DeviceTwin: the devices of the node, their twins, and what cloud and devices tell of them."""
