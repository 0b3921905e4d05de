"""Tests of the benchmark adapters and of their protocols."""
