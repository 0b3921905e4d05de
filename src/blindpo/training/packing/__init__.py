"""All responses of a row in one sequence: segments, mask, batch, and the check that it is exact."""
