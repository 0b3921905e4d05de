"""Text-only preferences in, multimodal preferences out: the paper's modality interpretation, one file per stage.

`pipeline.py` holds the order: read, entities, match, rephrase, filter, categorise, twins, out.
"""
