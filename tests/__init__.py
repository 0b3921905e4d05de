"""Tests: unit mirrors src; contract, numeric and story cut across it."""
