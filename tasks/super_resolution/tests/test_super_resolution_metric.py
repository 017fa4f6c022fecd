"""PSNR and SSIM against their definitions in plain numpy, and against scikit-image where it is installed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlperf_mobile.errors import DataError
from mlperf_mobile_images.image import Image
from mlperf_mobile_task_super_resolution import metric as metric_module
from mlperf_mobile_task_super_resolution import ssim as ssim_module
from mlperf_mobile_task_super_resolution.metric import PSNR
from mlperf_mobile_task_super_resolution.ssim import ssim


class Truths:
    def __init__(self, *truths):
        self._truths = truths

    def truth(self, index):
        return self._truths[index]


def picture(pixels):
    return Image(np.asarray(pixels, np.uint8), "hr/0.png")


def noisy(shape, spread, seed=0):
    """An image with some structure, and the same with errors of up to ``spread``."""
    rng = np.random.default_rng(seed)
    smooth = np.cumsum(rng.integers(-9, 10, shape), axis=1) + np.cumsum(rng.integers(-9, 10, shape), axis=0) + 128
    truth = np.clip(smooth, 0, 255).astype(np.uint8)
    return truth, np.clip(truth.astype(int) + rng.integers(-spread, spread + 1, shape), 0, 255).astype(np.uint8)


def scored(*pairs):
    metric = PSNR(Truths(*(picture(truth) for truth, _ in pairs)))
    for index, (_, image) in enumerate(pairs):
        metric.update(index, image.tobytes())
    return metric.score()


def naive_psnr(one, other):
    error = np.mean((one.astype(np.float64) - other.astype(np.float64)) ** 2)
    return 20 * np.log10(255) - 10 * np.log10(error)


def naive_ssim(one, other):
    """Wang et al. 2004, equations 14 to 16 and 13, one window at a time."""
    place = np.arange(-5, 6)
    weights = np.exp(-(place[:, None] ** 2 + place[None, :] ** 2) / (2 * 1.5**2))
    weights /= weights.sum()
    x, y = one.astype(np.float64), other.astype(np.float64)
    values = []
    for top in range(x.shape[0] - 10):
        for left in range(x.shape[1] - 10):
            for channel in range(x.shape[2]):
                a, b = (v[top : top + 11, left : left + 11, channel] for v in (x, y))
                mean_a, mean_b = (weights * a).sum(), (weights * b).sum()
                var_a, var_b = (weights * (a - mean_a) ** 2).sum(), (weights * (b - mean_b) ** 2).sum()
                cov = (weights * (a - mean_a) * (b - mean_b)).sum()
                c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
                values.append(
                    (2 * mean_a * mean_b + c1) * (2 * cov + c2) / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
                )
    return np.mean(values)


class TestPSNR:
    @given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 200), st.integers(0, 2**31))
    def test_definition(self, height, width, spread, seed):
        truth, image = noisy((height, width, 3), spread, seed)
        if (truth != image).any():
            assert scored((truth, image)).value == pytest.approx(naive_psnr(truth, image), abs=1e-9)

    def test_by_hand(self):
        """An error of 1 everywhere: 10 log10(65025) = 48.1308 dB; the worst error there is: 0 dB."""
        black, white = np.zeros((20, 30, 3), np.uint8), np.full((20, 30, 3), 255, np.uint8)
        assert scored((black, black + 1)).value == pytest.approx(48.130803608679, abs=1e-9)
        assert scored((black, white)).value == 0
        assert scored((white, black)).value == 0

    def test_it_is_the_mean_of_decibels_not_of_errors(self):
        black = np.zeros((20, 30, 3), np.uint8)
        score = scored((black, black + 1), (black, black + 10), (black, black + 100))
        assert score.value == pytest.approx(48.130803608679 - 20, abs=1e-9)
        assert score.details["psnr_min"] == pytest.approx(48.130803608679 - 40, abs=1e-9)
        assert (score.metric, score.samples, score.details["identical"]) == ("PSNR", 3, 0)

    def test_images_without_error_have_100_db(self):
        """The reference app's logarithm of 0 makes the accuracy of the whole set infinite."""
        truth, image = noisy((16, 16, 3), 30)
        with np.errstate(divide="ignore"):
            assert np.mean([-10 * np.log10(np.float32(0)), naive_psnr(truth, image)]) == math.inf
        score = scored((truth, truth), (truth, image))
        assert score.value == pytest.approx((100 + naive_psnr(truth, image)) / 2, abs=1e-9)
        assert score.details["identical"] == 1
        assert all(math.isfinite(value) for value in (score.value, *score.details.values()))

    def test_nearly_no_error_is_not_better_than_none(self):
        """One value of 240x320x3 off by one would be 101.8 dB."""
        truth = np.zeros((240, 320, 3), np.uint8)
        image = truth.copy()
        image[5, 5, 0] = 1
        assert naive_psnr(truth, image) > 101.7
        score = scored((truth, image))
        assert (score.value, score.details["identical"]) == (100.0, 0)

    def test_sums_are_exact(self):
        """The app adds up in float32, which loses small terms behind large ones."""
        truth = np.zeros((200, 300, 3), np.uint8)
        image = truth + 1
        image[:100] = 255
        error = metric_module.squared_error(truth, image)
        assert error == 100 * 300 * 3 * (255**2 + 1)
        terms = np.square(image.astype(np.float32)).reshape(-1)
        assert float(np.cumsum(terms, dtype=np.float32)[-1]) != error

    def test_nothing_scored(self):
        score = PSNR(Truths(picture(np.zeros((4, 4, 3))))).score()
        assert (score.value, score.samples) == (0.0, 0)

    @pytest.mark.parametrize("response", [b"", b"\0", bytes(16 * 16 * 3 - 1), bytes(16 * 16 * 3 + 1), bytes(16 * 16)])
    def test_responses_of_another_size_are_refused(self, response):
        metric = PSNR(Truths(picture(np.zeros((16, 16, 3))), picture(np.zeros((16, 16, 3)))))
        with pytest.raises(DataError, match=r"sample 1 has .* hr/0\.png has 768") as caught:
            metric.update(1, response)
        assert caught.value.code == "response"

    @pytest.mark.parametrize("truth", [7, None, "hr", picture(np.zeros(48)), picture(np.zeros((4, 4, 1)))])
    def test_truths_that_are_not_images_are_reported_immediately(self, truth):
        with pytest.raises(DataError, match="sample 0") as caught:
            PSNR(Truths(truth))
        assert caught.value.code == "label"


class TestSSIM:
    @given(st.integers(11, 16), st.integers(11, 16), st.integers(1, 120), st.integers(0, 2**31))
    @settings(max_examples=20)
    def test_definition(self, height, width, spread, seed):
        truth, image = noisy((height, width, 3), spread, seed)
        assert ssim(truth, image) == pytest.approx(naive_ssim(truth, image), abs=1e-9)

    @pytest.mark.parametrize("tile", [1, 7, 31, 60])
    def test_tiles_do_not_matter(self, tile, monkeypatch):
        truth, image = noisy((30, 61, 3), 40)
        whole = ssim(truth, image)
        monkeypatch.setattr(ssim_module, "TILE", tile)
        monkeypatch.setattr(ssim_module, "_BAND", ssim_module._band(tile))
        assert ssim(truth, image) == pytest.approx(whole, abs=1e-12)

    def test_equal_images(self):
        truth, _ = noisy((40, 50, 3), 1)
        assert ssim(truth, truth) == pytest.approx(1, abs=1e-12)

    def test_flat_images_by_hand(self):
        """Without variance only luminance is left: (2·100·200 + C1) / (100² + 200² + C1), C1 = 6.5025."""
        dark, light = np.full((20, 20, 3), 100, np.uint8), np.full((20, 20, 3), 200, np.uint8)
        assert ssim(dark, light) == pytest.approx(40006.5025 / 50006.5025, abs=1e-12)

    def test_means_over_images(self):
        pairs = [noisy((20, 24, 3), spread, spread) for spread in (5, 50)]
        expected = np.mean([naive_ssim(*pair) for pair in pairs])
        assert scored(*pairs).details["ssim"] == pytest.approx(expected, abs=1e-9)

    def test_images_smaller_than_the_window_have_none(self):
        assert "ssim" not in scored(noisy((10, 40, 3), 9)).details
        assert "ssim" in scored(noisy((11, 11, 3), 9)).details

    def test_memory_is_bounded(self):
        """A tile at a time: less than one image is as float64."""
        import tracemalloc

        truth, image = noisy((500, 400, 3), 9)
        tracemalloc.start()
        ssim(truth, image)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 8 * truth.size


@pytest.mark.parametrize("shape", [(64, 48, 3), (11, 200, 3), (133, 97, 3)])
@pytest.mark.parametrize("spread", [2, 30, 200])
def test_scikit_image_agrees(shape, spread):
    metrics = pytest.importorskip("skimage.metrics")
    truth, image = noisy(shape, spread, sum(shape))
    score = scored((truth, image))
    peak = metrics.peak_signal_noise_ratio(truth, image, data_range=255)
    similarity = metrics.structural_similarity(
        truth, image, data_range=255, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert score.value == pytest.approx(peak, abs=1e-9)
    assert score.details["ssim"] == pytest.approx(similarity, abs=1e-9)
