import numpy as np

from seesay.evaluation.bootstrap import intervals, mean_intervals


def test_the_interval_of_a_share_is_near_the_one_of_the_formula() -> None:
    hits = (np.arange(400) < 100).astype(float)[:, None]
    ((low, high),) = mean_intervals(hits)
    half = 1.96 * np.sqrt(0.25 * 0.75 / 400)
    assert abs(low - (0.25 - half)) < 0.006
    assert abs(high - (0.25 + half)) < 0.006
    assert np.array_equal(mean_intervals(hits), mean_intervals(hits))
    assert not np.array_equal(mean_intervals(hits), mean_intervals(hits, seed=1))


def test_two_pictures_by_hand() -> None:
    """One right, one wrong: a draw gives 0, 1/2 or 1 with probability 1/4, 1/2 and 1/4, so the middle 95 % is all of it."""
    assert mean_intervals(np.array([[1.0], [0.0]])).tolist() == [[0.0, 1.0]]
    narrow = intervals(lambda times: times[:1] / 2, 2, level=0.4)
    assert narrow.tolist() == [[0.5, 0.5]]


def test_captions_of_one_picture_are_drawn_together() -> None:
    """Five equal captions say no more than one: the interval stays that of the pictures."""
    hits = (np.arange(200) < 60).astype(float)[:, None]
    together = mean_intervals(np.repeat(hits, 5, axis=0), np.repeat(np.arange(200), 5))
    np.testing.assert_allclose(together, mean_intervals(hits), atol=1e-12)
    apart = mean_intervals(np.repeat(hits, 5, axis=0))
    assert np.diff(apart)[0, 0] < 0.6 * np.diff(together)[0, 0]


def test_pictures_with_more_captions_weigh_more() -> None:
    values, picture = np.array([[1.0], [0.0], [0.0], [0.0]]), np.array([7, 3, 3, 3])
    drawn = intervals(lambda times: np.array([times[1] / (times[1] + 3 * times[0])]), 2)
    assert np.array_equal(mean_intervals(values, picture), drawn)


def test_what_a_draw_leaves_undefined_is_passed_over() -> None:
    assert intervals(lambda times: np.array([np.nan if times[0] == 0 else 1.0]), 2).tolist() == [[1.0, 1.0]]
