"""Artefacts of real movies, and corrections that run before a method."""
