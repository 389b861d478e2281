"""The command line ``sofinet``."""
