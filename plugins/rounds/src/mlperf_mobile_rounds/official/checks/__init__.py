"""The rules of the checker, by subject; ``mlperf_mobile_rounds.official.checker`` runs them."""
