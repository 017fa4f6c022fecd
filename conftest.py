"""For all tests: shared machines are slow, and background jobs ignore interrupts; neither is a failure."""

import signal

from hypothesis import HealthCheck, settings

settings.register_profile("shared-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared-machine")

# A shell without job control starts background jobs with interrupts ignored, which commands under test would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)
