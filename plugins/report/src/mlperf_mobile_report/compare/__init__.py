"""Results side by side: ratios, how sure they are, and whatever else differs between them."""
