"""Cosines to probabilities, in numpy and in torch."""

import numpy as np
import pytest
import torch

import seesay
from seesay.models.logits import Logits, scaled

COSINES = np.array([[0.3, 0.2, -0.1], [0.0, 0.0, 0.5]], dtype=np.float32)


def test_softmax_is_over_the_labels_at_the_models_temperature() -> None:
    logits = Logits(np.log(20.0), None, "softmax")
    assert logits.scale == pytest.approx(20)
    expected = torch.softmax(torch.from_numpy(20 * COSINES), dim=1).numpy()
    np.testing.assert_allclose(logits.probabilities(COSINES), expected, atol=1e-6)


def test_sigmoid_is_each_labels_own() -> None:
    logits = Logits(np.log(20.0), -4.0, "sigmoid")
    whole = logits.probabilities(COSINES)
    np.testing.assert_allclose(whole, torch.sigmoid(torch.from_numpy(20 * COSINES - 4)).numpy(), atol=1e-6)
    np.testing.assert_array_equal(logits.probabilities(COSINES[:, :1]), whole[:, :1])


def test_numpy_and_torch_are_scaled_alike() -> None:
    both = scaled(COSINES, 3.0, -1.0), scaled(torch.from_numpy(COSINES), torch.tensor(3.0), torch.tensor(-1.0))
    np.testing.assert_allclose(both[0], both[1].numpy(), atol=1e-6)


def test_the_scale_is_the_exponential_of_the_logit_scale() -> None:
    model = seesay.fake_model()
    assert (model.logits.logit_scale, model.scale) == (3.0, pytest.approx(np.exp(3.0)))
