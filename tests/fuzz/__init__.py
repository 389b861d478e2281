"""Random damage to every kind of file that is read; see `fuzz.__main__`."""
