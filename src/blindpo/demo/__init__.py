"""The whole story offline: a small drawn world with known truth, run by the same code as real data."""
