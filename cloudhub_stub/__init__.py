"""The cloud side: a stand-in for KubeEdge's CloudHub and its controllers, for one machine and no cluster."""
