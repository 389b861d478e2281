"""Localisations of single emitters: tables, their drift, and pictures of them."""

from __future__ import annotations

from napari_sofinet.data.table import LocalizationTable

__all__ = ["LocalizationTable"]
