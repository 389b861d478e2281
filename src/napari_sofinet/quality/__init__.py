"""Measurements of pictures in files and layers: resolution, agreement, regions and figures."""
