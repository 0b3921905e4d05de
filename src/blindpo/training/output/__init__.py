"""Write and upload a RUN folder: weights, checkpoints, model card."""
