"""Sources of rows: formats of preference data, and safety benchmarks as they are downloaded."""
