"""From finished folders to one page: load them, compare the models, draw, choose examples, write the file."""
