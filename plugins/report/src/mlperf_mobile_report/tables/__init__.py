"""Tables of text: of results, of comparisons, and the grid that both are, with its forms for other programs."""
