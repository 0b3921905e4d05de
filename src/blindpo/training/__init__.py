"""Train by preference: BPO, or DPO as its first term alone. Read `loss.py` first; `run.py` tells the whole order."""
