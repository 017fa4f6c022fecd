"""Models in Qualcomm's .dlc format, run by the SNPE runtime of an installed SDK."""
