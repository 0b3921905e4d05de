"""The whole story offline: a small drawn world whose truth is known, told by the same code as real use."""
