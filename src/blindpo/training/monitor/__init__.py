"""What is measured while a model trains, and the callbacks that write it."""
