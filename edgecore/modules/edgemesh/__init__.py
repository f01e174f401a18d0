"""EdgeMesh: services by name on the node, load-balanced over their pods (module name ``edgemesh``, group ``mesh``)."""
