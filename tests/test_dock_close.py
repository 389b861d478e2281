"""Docks and windows that are closed while something runs."""

from __future__ import annotations

import threading
import warnings
from dataclasses import replace

import numpy as np
import pytest
from napari.layers import Shapes

from napari_sofinet.widgets import simulation_widget, sofi_widget
from napari_sofinet.widgets.latest_worker import Latest
from napari_sofinet.widgets.worker import TaskWorker, WorkingWidget


def is_deleted(thing) -> bool:
    try:
        thing.objectName()
    except RuntimeError:
        return True
    return False


def delete(thing, qtbot) -> None:
    """Delete a Qt object whose Python object lives on, as napari does when it ends."""
    thing.deleteLater()
    qtbot.waitUntil(lambda: is_deleted(thing), timeout=5000)


@pytest.mark.parametrize("error", [None, ValueError("no")])
def test_a_worker_ends_after_its_signals_were_deleted(qtbot, error):
    def task(report):
        report(0.5, "half", object())
        if error is not None:
            raise error
        return 7

    worker = TaskWorker(task)
    delete(worker.signals, qtbot)
    worker.run()
    assert worker.ended.is_set()
    assert worker.outcome == (error or 7)
    worker.forget()
    assert worker.abort_requested


def test_work_can_be_cancelled_after_its_signals_were_deleted(qtbot):
    widget = WorkingWidget("Go")
    qtbot.addWidget(widget)
    worker = TaskWorker(lambda report: None)
    widget._show_work(worker)
    delete(worker.signals, qtbot)
    widget._cancel()
    assert widget.worker is None
    assert widget.run_button.text() == "Go"


def test_two_workers_at_once_leave_the_warnings_as_they_were(qtbot):
    shown, filters = warnings.showwarning, list(warnings.filters)
    entered, gate = threading.Event(), threading.Event()
    first = TaskWorker(lambda report: entered.set() or gate.wait(10))
    second = TaskWorker(lambda report: gate.set())
    first.start()
    qtbot.waitUntil(entered.is_set, timeout=5000)
    second.start()
    for worker in (first, second):
        qtbot.waitUntil(worker.ended.is_set, timeout=5000)
    assert warnings.showwarning is shown
    assert warnings.filters == filters


def test_a_result_for_a_deleted_dock_is_dropped(qtbot):
    latest, entered, gate = Latest(), threading.Event(), threading.Event()
    failed: list[object] = []
    before, threading.excepthook = threading.excepthook, failed.append
    try:
        latest.ask(lambda: entered.set() or gate.wait(10))
        qtbot.waitUntil(entered.is_set, timeout=5000)
        delete(latest, qtbot)
        gate.set()
        qtbot.waitUntil(lambda: not latest._running, timeout=5000)
    finally:
        threading.excepthook = before
    assert not failed


def test_closing_the_window_ends_a_preview(make_napari_viewer, qtbot, monkeypatch):
    """At the end of Python such work fails with "cannot schedule new futures"."""
    entered, gate = threading.Event(), threading.Event()

    def late(settings):
        entered.set()
        gate.wait(10)
        raise RuntimeError("cannot schedule new futures after interpreter shutdown")

    kind = replace(simulation_widget.MOVIES, preview=late)
    monkeypatch.setattr(simulation_widget, "MOVIES", kind)
    monkeypatch.setattr("napari_sofinet.widgets.worker.MOST_WAIT_S", 0.01)
    viewer = make_napari_viewer(show=True)
    widget = simulation_widget.SimulationWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Simulate")
    qtbot.waitUntil(entered.is_set, timeout=10_000)
    (worker,) = widget._short_work
    viewer.close()
    assert worker.abort_requested
    gate.set()
    qtbot.waitUntil(worker.ended.is_set, timeout=5000)
    assert isinstance(worker.outcome, RuntimeError)


def test_a_closed_window_waits_for_a_thread_that_looks_up(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    widget = sofi_widget.SofiWidget(viewer)
    viewer.window.add_dock_widget(widget, name="SOFI")
    begun = threading.Event()

    def task(report):
        while True:
            report(0.5)
            begun.set()

    worker = TaskWorker(task)
    widget._begin(worker, "endless")
    worker.start()
    qtbot.waitUntil(begun.is_set, timeout=5000)
    viewer.close()
    assert worker.ended.is_set()


def test_an_empty_shapes_layer_is_no_region(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    widget = sofi_widget.SofiWidget(viewer)
    viewer.window.add_dock_widget(widget, name="SOFI")
    movie = np.random.default_rng(0).poisson(50, (20, 16, 16)).astype(np.uint16)
    viewer.add_image(movie, name="movie")
    for number in range(5):
        shapes = Shapes(ndim=2 + number % 2, name=f"empty {number}")
        viewer.add_layer(shapes)
        widget.roi_box.setCurrentText(shapes.name)
        widget.run_button.click()
        assert widget.worker is None
        assert "rectangle" in widget.status.text()
        qtbot.wait(20)
        viewer.layers.remove(shapes)
    widget.run_button.click()
    qtbot.waitUntil(lambda: widget.worker is None, timeout=60_000)
    assert widget.status.text().startswith("Done")
