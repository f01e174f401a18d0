"""Makes what runs the pods."""

import os
from pathlib import Path

from edgecore.config.addresses import AUTO
from edgecore.modules.edged.process.images import Images
from edgecore.modules.edged.process.processes import ProcessRuntime, ProcessSettings
from edgecore.modules.edged.runtime import PodRuntime
from edgecore.modules.edged.simulated.simulated import SimulatedRuntime
from edgecore.wiring.parts import Parts


def make_pod_runtime(parts: Parts) -> PodRuntime:
    """Return the runtime that the configuration names."""
    edged = parts.config.modules.edged
    if edged.runtime == "simulated":
        return SimulatedRuntime(parts.clock, edged.pod_start_delay)
    root = parts.config.database.path.parent / "pods" if edged.process_root == AUTO else Path(edged.process_root)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    settings = ProcessSettings(
        root, Images(edged.process_images), edged.process_log_size, len(os.sched_getaffinity(0)), memory
    )
    return ProcessRuntime(parts.clock, settings)
