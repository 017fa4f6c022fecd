"""Language models on Genie, the generation library of Qualcomm's AI Runtime SDK."""
