"""How each kind of network is trained, without loading PyTorch."""

from __future__ import annotations

from dataclasses import dataclass

from napari_sofinet.networks.contract import Network, load_object
from napari_sofinet.training.settings import (
    DynamicsTrainingSettings,
    EmitterTrainingSettings,
    LearningSettings,
    PosteriorTrainingSettings,
    TrainingSettings,
)


@dataclass(frozen=True)
class Task:
    """What a network learns, and from what.

    Parameters
    ----------
    settings : type[LearningSettings]
        Model of the settings of its training.
    data : str
        ``"module:callable"``, called with the network, the settings, own movies and a report;
        returns `TrainingData`.
    takes_movies : bool, optional
        Whether the network can learn from own movies.
    sizes : str, optional
        ``"module:callable"``, called with the settings; returns the sizes of a new network where
        they follow from the settings.
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


def task_of(network: Network) -> Task:
    """Return how a network is trained.

    Raises
    ------
    ValueError
        The network cannot be trained here.
    """
    if network.task is None:
        raise ValueError(f"{network.name} declares no training task")
    task = load_object(network.task)
    assert isinstance(task, Task)
    return task
