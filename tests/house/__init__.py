"""The house rules that a machine can hold, one file for each kind of rule."""
