"""The conformance kit: subclass a class, give its fixtures, and pytest does the rest.

``BackendConformance``, ``TaskConformance``, ``DatasetConformance`` and ``ScenarioConformance`` are what every plugin
passes to be called conformant; the built-in ones do. Import each from its own module:
``from mlperf_mobile.testing.backend import BackendConformance``. ``command`` runs ``mlperf-mobile`` for tests of whole
runs, and ``c_library`` compiles stand-ins of vendors' libraries. Needs ``pip install 'mlperf-mobile[testing]'``.
"""
