"""What a RUN folder holds: weights, checkpoints, model card, upload."""
