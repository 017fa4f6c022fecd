"""Question answering: MobileBERT and similar models find the answer to a question in a passage."""
