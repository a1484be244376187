"""Vectors of the encoder's layers: one grid, unit lengths, no picture that changes another."""

import cv2
import numpy as np
import pytest
from gantools.apps.anomaly.detectors import efficientnet
from gantools.apps.anomaly.detectors.looks import WIDE, Looks, doubling, on_grid, side_for

needs_weights = pytest.mark.skipif(
    not efficientnet.is_installed(), reason="needs the extra [encoder]"
)


def test_the_network_sees_pictures_at_their_size_or_somewhat_larger():
    sizes = (28, 49, 193, 225, 256, 448, 1000)
    assert [side_for(n) for n in sizes] == [96, 160, 224, 256, 256, 448, 448]


def test_layers_come_to_one_grid_as_opencv_would_bring_them():
    random = np.random.default_rng(0)
    deep, fine = (random.normal(size=(2, n, n, 3)).astype(np.float32) for n in (5, 40))
    for picture, found in zip(deep, on_grid(deep, 10), strict=True):
        expected = cv2.resize(picture, (10, 10), interpolation=cv2.INTER_LINEAR)
        np.testing.assert_allclose(found, expected, atol=1e-6)
    for picture, found in zip(fine, on_grid(fine, 10), strict=True):
        expected = cv2.resize(picture, (10, 10), interpolation=cv2.INTER_AREA)
        np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.array_equal(on_grid(deep, 5), deep)
    np.testing.assert_allclose(doubling(4).sum(axis=1), 1)


@needs_weights
def test_vectors_of_a_picture_are_the_same_to_the_bit_in_any_company():
    x = np.random.default_rng(0).uniform(-1, 1, (19, 40, 40, 3)).astype(np.float32)
    looks = Looks(64, 3, threads=1)
    whole = [seen for _, seen in looks.of(x, np.arange(19))]
    shapes = {name: vectors.shape[1:] for name, vectors in whole[0].items()}
    assert shapes == {
        "gap": (152,), "whole": (448,), "late": (192,), "last": (320,),
        "cells": (4, 4, 152), "wide": (4, 4, 448), "deep": (2, 2, 512),
    }  # fmt: skip
    ((rows, alone),) = looks.of(x, np.array([17]))
    assert rows.tolist() == [17]
    for name, vectors in alone.items():
        assert np.array_equal(vectors[0], whole[1][name][1]), name
    wide = np.square(whole[0]["wide"]).sum(axis=-1)
    np.testing.assert_allclose(wide, len(WIDE), rtol=1e-5)  # every layer has length 1
