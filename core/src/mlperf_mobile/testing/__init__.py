"""The conformance kit: subclass a class, define its fixtures, and run pytest.

``BackendConformance``, ``TaskConformance``, ``DatasetConformance`` and ``ScenarioConformance`` are the
tests that a conformant plugin passes. Import each from its own module:
``from mlperf_mobile.testing.backend import BackendConformance``. ``command`` runs ``mlperf-mobile`` for tests of whole
runs, and ``c_library`` compiles stand-ins of vendors' libraries. Requires ``pip install 'mlperf-mobile[testing]'``.
"""

import sys

if "pytest" in sys.modules:  # failures of the kit's tests then show the compared values
    from pkgutil import iter_modules

    import pytest

    pytest.register_assert_rewrite(*(f"{__name__}.{module.name}" for module in iter_modules(__path__)))
