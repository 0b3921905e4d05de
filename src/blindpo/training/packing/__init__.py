"""Put all responses of a row into one sequence: segments, mask, batch, and what model families need."""
