"""Training tasks of the networks, without loading PyTorch."""

from __future__ import annotations

from dataclasses import dataclass

from napari_sofinet.networks.contract import Network, load_object
from napari_sofinet.training.axial_settings import AxialTrainingSettings, RcanTrainingSettings
from napari_sofinet.training.settings import (
    DynamicsTrainingSettings,
    EmitterTrainingSettings,
    LearningSettings,
    PosteriorTrainingSettings,
    TrainingSettings,
)


@dataclass(frozen=True)
class Task:
    """Task of training a network.

    Parameters
    ----------
    settings : type[LearningSettings]
        Class of the settings of the training.
    data : str
        ``"module:callable"`` that returns `TrainingData`, called with the network, the settings,
        own movies and a report.
    takes_movies : bool, default False
        Whether the network can be trained on own movies.
    sizes : str, optional
        ``"module:callable"`` that returns the sizes of a new network, called with the settings,
        where they follow from the settings.
    """

    settings: type[LearningSettings]
    data: str
    takes_movies: bool = False
    sizes: str | None = None


PICTURE = Task(
    TrainingSettings, "napari_sofinet.training.picture_task:picture_data", takes_movies=True
)
EMITTERS = Task(EmitterTrainingSettings, "napari_sofinet.training.emitter_task:emitter_data")
MOVING_STRUCTURE = Task(
    DynamicsTrainingSettings, "napari_sofinet.training.moving_structure_task:structure_data"
)
POSTERIOR = Task(
    PosteriorTrainingSettings,
    "napari_sofinet.training.posterior_task:posterior_data",
    sizes="napari_sofinet.training.posterior_task:sizes",
)
AXIAL = Task(AxialTrainingSettings, "napari_sofinet.training.axial_task:axial_data")
RCAN = Task(RcanTrainingSettings, "napari_sofinet.training.rcan_task:rcan_data")


def task_of(network: Network) -> Task:
    """Return the task of training a network.

    Parameters
    ----------
    network : Network
        Declaration of the network.

    Returns
    -------
    Task
        The task that it names.

    Raises
    ------
    ValueError
        The network names no task.
    """
    if network.task is None:
        raise ValueError(f"{network.name} declares no training task")
    task = load_object(network.task)
    assert isinstance(task, Task)
    return task
