"""What is minimised, and how: rows to examples, the loss, the reference, the trainer around transformers' own."""
