"""Question answering: MobileBERT and models like it find the answer to a question in a passage."""
