"""For all tests: nothing that they find depends on the machine, its load, or the day."""

import re
import signal

from hypothesis import HealthCheck, settings

# A property's examples are the same in every run; `make properties` draws others, and keeps those that fail.
settings.register_profile("random", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile("repeatable", settings.get_profile("random"), derandomize=True, database=None)
settings.load_profile("repeatable")

# A shell without job control starts background jobs with interrupts ignored, which commands under test would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_make_parametrize_id(val, argname):
    """Bytes that are no words name no test: they may differ from one collection to the next."""
    if isinstance(val, bytes) and not re.fullmatch(rb"[ -~]{1,60}", val):
        return argname
    return None
