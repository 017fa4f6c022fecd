"""IFEval's verifiable instructions: the reference app's 25 checks, and the published ones beside them."""
