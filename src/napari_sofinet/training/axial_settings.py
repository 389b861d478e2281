"""Settings of the training of networks for SIM stacks, without loading PyTorch."""

from __future__ import annotations

from napari_sofinet.base.settings import parameter
from napari_sofinet.training.settings import LearningSettings


class AxialTrainingSettings(LearningSettings):
    """Settings of the training of a network that refines SIM stacks."""

    batch: int = parameter(2, "Number of crops per step.", label="Batch size", ge=1, le=64)
    planes: int = parameter(10, "Number of planes of a crop.", label="Planes of crops", ge=3, le=14)


class RcanTrainingSettings(LearningSettings):
    """Settings of the training of the network of Boland et al. (2021) for raw SIM stacks."""

    batch: int = parameter(2, "Number of crops per step.", label="Batch size", ge=1, le=64)
    learning_rate: float = parameter(3e-4, "Initial learning rate of Adam.", gt=0, le=0.1)
