"""Stand-ins for device libraries: NNAPI and MediaTek's Neuron. They compute on the CPU and say nothing about speed."""

from mlperf_mobile_neural_networks_stand_in.build import LIBRARIES, build, build_timed_loop

__all__ = ["LIBRARIES", "build", "build_timed_loop"]
