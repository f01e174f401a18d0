"""MetaManager beside the Go way: what each part of ``benchmarks/metamanager.py`` does."""
