"""Shared by all tests: shapes are checked while tests run, one thread, nothing from the network."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from jaxtyping import install_import_hook

# Every tensor function's shapes and dtypes, as its signature states them, are held against the real arguments.
install_import_hook(["blindpo.training", "blindpo.models"], "beartype.beartype")
