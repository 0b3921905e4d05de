"""Text-only preferences in, multimodal preferences out: the paper's modality interpretation, one file a stage.

The order stands in `pipeline.py`: read, entities, match, rephrase, filter, categorise, twins, out.
"""
