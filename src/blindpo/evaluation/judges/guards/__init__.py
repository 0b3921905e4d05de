"""Local guard models: one file per family, with what it is shown and how its verdict is read."""
