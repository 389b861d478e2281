"""Descriptions of weights for users."""

from __future__ import annotations

from napari_sofinet.networks.weights import Card

NOW = {
    "It has seen many kinds of structure, and empty fields; it follows the data.": (
        "It was trained on many kinds of structure and on empty fields. Use it for any sample."
    ),
    "It has seen microtubules under one microscope (PSF 2.2 px) only: a prior.": (
        "It was trained only on microtubules under one microscope (PSF 2.2 px wide). Use it only "
        "for such movies."
    ),
    "It expects filaments: a prior. Use it where you know that there are filaments; elsewhere it "
    "may draw some that are not there.": (
        "It expects filaments. Use it only for samples of filaments; elsewhere it may draw some "
        "that are not there."
    ),
    "It expects filaments or mitochondria of one sharp outline that change slowly: a prior. It "
    "draws what localisations of other things resemble.": (
        "It expects filaments or filled shapes with sharp outlines that change slowly. Use it only "
        "for those; localisations of other structures are drawn as if they were such."
    ),
    "It expects single emitters that look like the microscope's PSF in focus.": (
        "It expects single molecules that look like the PSF of the microscope in focus. Do not use "
        "it where they lie out of focus."
    ),
    "It has seen your own movies only: use it for samples and settings like theirs.": (
        "It was trained on your own movies. Use it for similar samples and settings."
    ),
}
"""Sentences in the cards of weights that were trained with earlier versions, and what they say now.
A card is part of its file, whose SHA-256 is in recipes, so that it cannot be written anew."""


def about_weights(card: Card) -> str:
    """Return what weights were trained on and what to use them for.

    Parameters
    ----------
    card : Card
        Card of the weights.

    Returns
    -------
    str
        Sentences about the weights, which are called by their name.
    """
    text = card.prior
    for before, now in NOW.items():
        text = text.replace(before, now)
    return f"{card.name} {text[3:]}" if text.startswith("It ") else text
