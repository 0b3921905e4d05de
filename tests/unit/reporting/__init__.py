"""Tests of rows/: what a row is, how it is saved, checked and viewed."""
