"""What is done with a data folder as it is: check, stats, export."""
