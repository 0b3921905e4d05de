"""Train by preference. Read `methods.py` and `loss.py` first; `run.py` has the order of a whole run."""
