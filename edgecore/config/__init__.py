"""The typed ``edgecore.yaml`` (KubeEdge v1alpha1): its schema, loading, checking, printing and reference."""
