"""One story told by two versions of the program on one machine, and what it left compared file by file."""
