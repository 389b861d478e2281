"""Inputs and outputs of methods: movies, localisation tables, reconstructions and recipes."""
