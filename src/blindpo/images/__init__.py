"""Where an image comes from, and whether its bytes are one."""
