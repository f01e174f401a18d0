"""What `benchmarks/kernelplane.py` is made of: namespaces, our node in one of them, the load and what it is put on."""
