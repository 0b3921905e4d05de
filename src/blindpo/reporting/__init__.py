"""Make one page from finished folders: load them, compare the models, draw, choose examples, write the file."""
