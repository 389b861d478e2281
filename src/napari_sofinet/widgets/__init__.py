"""Dock widgets and napari contributions: the only part that imports napari and Qt."""
