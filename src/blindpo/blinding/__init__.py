"""Blind responses: the reference model answers every row without seeing its image (paper, section 3.2)."""
