"""Labels, tips and titles that users read in the docks."""

from __future__ import annotations

import pytest
from qtpy.QtWidgets import QComboBox, QFormLayout, QLabel

from napari_sofinet.methods.registry import methods, networks
from napari_sofinet.simulation import SimulationSettings
from napari_sofinet.training.task import task_of
from napari_sofinet.widgets.form import SettingsForm

TRAINED = {name: task_of(net).settings for name, net in networks().items() if net.task is not None}
FORMS = (
    {f"method {name}": method.settings for name, method in methods().items()}
    | {f"training {name}": settings for name, settings in TRAINED.items()}
    | {"simulation": SimulationSettings}
)
LONGEST = 28


def labels_of(form: SettingsForm) -> dict[str, QLabel]:
    """Labels in a form, by the name of the setting beside them."""
    found = {}
    for rows in form.findChildren(QFormLayout):
        for name, editor in form.editors.items():
            label = rows.labelForField(editor)
            if isinstance(label, QLabel):
                found[name] = label
    return found


@pytest.mark.parametrize("kind", FORMS)
def test_every_setting_has_its_own_short_label_and_a_tip(qtbot, kind):
    form = SettingsForm(FORMS[kind])
    qtbot.addWidget(form)
    labels = labels_of(form)
    assert set(labels) == set(form.leaves)
    texts = [label.text() for label in labels.values()]
    assert sorted(set(texts)) == sorted(texts)
    for name, label in labels.items():
        words, _, unit = label.text().removesuffix(")").partition(" (")
        assert len(label.text()) <= LONGEST, label.text()
        assert unit == form.leaves[name].unit
        # The unit is said once.
        assert not {word.rstrip("s") for word in unit.split()} & {
            word.rstrip("s") for word in words.lower().split()
        } - {"per", "camera"}, label.text()
        assert words[0].isupper(), label.text()
        assert all(w in (w.lower(), w.upper()) for w in words[1:].split()), label.text()
        assert label.toolTip().endswith("."), name
        assert form.editors[name].toolTip() == label.toolTip()


@pytest.mark.parametrize("kind", FORMS)
def test_choices_are_kept_by_name_whatever_they_are_called(qtbot, kind):
    form = SettingsForm(FORMS[kind])
    qtbot.addWidget(form)
    assert form.settings() == FORMS[kind]()
    for name, editor in form.editors.items():
        if type(editor) is not QComboBox:
            continue
        shown = [editor.itemText(row) for row in range(editor.count())]
        assert len(set(shown)) == len(shown)
        for row in range(editor.count()):
            editor.setCurrentIndex(row)
            assert form.holds({name: editor.itemData(row)})


def test_methods_name_the_task_before_the_author():
    titles = [method.title for method in methods().values()]
    titles += [network.title for network in networks().values()]
    for title in titles:
        assert title[0].isupper()
        task = title.partition(" (")[0]
        for author in ("sofinet", "DBlink", "STORM", "GRU", "U-Net", "SOFI"):
            assert author not in task
