"""Structured illumination microscopy (SIM): optics, patterns and classical reconstruction."""
