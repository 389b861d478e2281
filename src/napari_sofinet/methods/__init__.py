"""The methods of reconstruction, each declared in one file; `registry` finds them by name."""

from napari_sofinet.methods.contract import Method
from napari_sofinet.methods.registry import method_named, methods
from napari_sofinet.methods.repeat import repeat
from napari_sofinet.methods.run import check_device, reconstruct

__all__ = ["Method", "check_device", "method_named", "methods", "reconstruct", "repeat"]
