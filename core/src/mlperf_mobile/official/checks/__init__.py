"""The rules of the checker, by subject; ``mlperf_mobile.official.checker`` runs them."""
