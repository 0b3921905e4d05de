"""Sources of rows, both formats of preference data and safety benchmarks: one protocol, one table, one importer."""
