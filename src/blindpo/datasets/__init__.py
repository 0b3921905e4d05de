"""Sources of rows, formats of preference data and safety benchmarks alike: one protocol, one table, one importer."""
