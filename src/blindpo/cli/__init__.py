"""The command line: one small file a command, each parses its words and calls one function below."""
