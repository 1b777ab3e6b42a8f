"""Results that other tools have written, as results of a matrix: see `Matrix.from_results`."""
