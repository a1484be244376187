import numpy as np

from gantools.gans.sampling import slerp


def test_slerp_turns_evenly_and_keeps_the_length():
    a, b = np.array([2.0, 0.0]), np.array([0.0, 2.0])
    t = np.array([[0.0], [1 / 3], [0.5], [1.0]])
    angle = np.pi / 2 * t[:, 0]
    expected = 2 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    np.testing.assert_allclose(slerp(a[None], b[None], t), expected, atol=1e-12)


def test_slerp_of_different_lengths_and_of_equal_points():
    a, b = np.array([[1.0, 0.0]]), np.array([[0.0, 3.0]])
    np.testing.assert_allclose(np.linalg.norm(slerp(a, b, np.array([[0.5]]))), 2)
    np.testing.assert_allclose(slerp(a, a, np.array([[0.3]])), a)
