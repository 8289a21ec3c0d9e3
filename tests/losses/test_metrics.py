"""Segmentation metrics, depth and flow errors against scikit-learn and hand-computed cases."""

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, confusion_matrix, jaccard_score

from depthseg_lib.data.labels import VOID
from depthseg_lib.losses import evaluation, metrics


@pytest.fixture
def maps():
    generator = torch.Generator().manual_seed(0)
    truth = torch.randint(0, 6, (3, 20, 30), generator=generator)
    prediction = torch.where(torch.rand(truth.shape, generator=generator) < 0.6, truth, (truth * 2 + 1) % 6)
    truth[:, :3] = VOID
    return prediction, truth


def test_confusion_matrix_is_scikit_learns_per_image(maps):
    prediction, truth = maps
    ours, _ = evaluation.confusion_matrix(prediction, truth, 6)
    for image in range(3):
        known = truth[image] != VOID
        theirs = confusion_matrix(truth[image][known], prediction[image][known], labels=range(6))
        assert (ours[image].numpy() == theirs).all()


def test_iou_and_accuracy_are_scikit_learns(maps):
    prediction, truth = maps
    known = truth != VOID
    confusion = evaluation.confusion_matrix(prediction, truth, 6)[0].numpy()
    theirs = jaccard_score(truth[known], prediction[known], labels=range(6), average=None)
    np.testing.assert_allclose(metrics.iou(confusion.sum(0)), theirs)
    assert metrics.accuracy(confusion) == pytest.approx(accuracy_score(truth[known], prediction[known]))


def test_miou_is_scikit_learns_when_all_classes_occur(maps):
    prediction, truth = maps
    known = truth != VOID
    theirs = jaccard_score(truth[known], prediction[known], average="macro")
    assert metrics.miou(evaluation.confusion_matrix(prediction, truth, 6)[0].numpy()) == pytest.approx(theirs)


def test_by_hand_void_and_absent_classes():
    truth = torch.tensor([[[0, 0, 1, VOID]]])
    prediction = torch.tensor([[[0, 1, 1, 2]]])
    confusion = evaluation.confusion_matrix(prediction, truth, 4)[0].numpy()
    # the void pixel leaves no false positive of class 2; classes 2 and 3 occur nowhere
    np.testing.assert_array_equal(metrics.iou(confusion)[0], [0.5, 0.5, np.nan, np.nan])
    assert metrics.miou(confusion) == 0.5
    assert metrics.miou(confusion, classes=[2, 3]) != metrics.miou(confusion, classes=[2, 3])  # NaN
    assert metrics.accuracy(confusion) == pytest.approx(2 / 3)


def test_dataset_and_per_image_means_differ_as_defined():
    confusion = np.zeros((2, 2, 2), int)
    confusion[0] = [[8, 0], [0, 2]]
    confusion[1] = [[0, 0], [6, 4]]
    assert metrics.miou(confusion) == pytest.approx((8 / 14 + 6 / 12) / 2)
    assert metrics.miou_per_image(confusion) == pytest.approx((1.0 + (0 / 6 + 4 / 10) / 2) / 2)
    assert metrics.accuracy(confusion) == pytest.approx(14 / 20)
    assert metrics.accuracy_per_image(confusion) == pytest.approx((1.0 + 0.4) / 2)
    assert metrics.segmentation_metrics(confusion, 0, (1,))["miou_seven"] == pytest.approx(6 / 12)


def test_the_released_codes_miou_counts_what_is_predicted_on_void_by_hand():
    truth = torch.tensor([[[0, 0, 1, VOID, VOID, VOID]], [[0, 1, 1, 1, 1, 1]]])
    prediction = torch.tensor([[[0, 0, 1, 0, 1, 2]], [[0, 1, 1, 1, 0, 0]]])
    confusion, on_void = evaluation.confusion_matrix(prediction, truth, 3)
    assert on_void.tolist() == [[1, 1, 1], [0, 0, 0]]
    found = metrics.segmentation_metrics(confusion.numpy(), on_void.numpy(), (0, 1))
    assert found["miou_image_seven"] == pytest.approx((1 + (1 / 3 + 3 / 5) / 2) / 2)
    assert found["miou_released"] == pytest.approx(((2 / 3 + 1 / 2) / 2 + (1 / 3 + 3 / 5) / 2) / 2)


def test_a_class_that_no_image_has_counts_in_the_official_mean_once_it_is_predicted():
    confusion = np.array([[[4, 0, 0], [0, 3, 1], [0, 0, 0]]])  # one pixel of class 1 is taken for class 2
    found = metrics.segmentation_metrics(confusion, 0, (0, 1, 2))
    assert found["miou"] == pytest.approx((1 + 3 / 4 + 0) / 3)
    assert found["miou_occurring"] == pytest.approx((1 + 3 / 4) / 2)


def test_depth_errors_by_hand_after_median_scaling():
    truth = torch.tensor([[[2.0, 4.0, 8.0, 0.0]]])
    prediction = torch.tensor([[[1.0, 2.0, 8.0, 5.0]]])  # median 2 of the valid three: scaled by 2 to 2, 4, 16
    found = evaluation.depth_errors(prediction, truth)
    assert found == pytest.approx({"abs_rel": 1 / 3, "rmse": np.sqrt(64 / 3), "a1": 2 / 3})


def test_depth_errors_do_not_change_with_scale_and_skip_images_without_truth():
    generator = torch.Generator().manual_seed(1)
    truth = 1 + 20 * torch.rand(2, 8, 9, generator=generator)
    prediction = truth * (1 + 0.2 * torch.rand(truth.shape, generator=generator))
    found = evaluation.depth_errors(prediction, truth)
    with_empty = evaluation.depth_errors(torch.cat([3 * prediction, prediction[:1]]), torch.cat([truth, 0 * truth[:1]]))
    assert with_empty == pytest.approx(found, rel=1e-5)
    assert all(np.isnan(v) for v in evaluation.depth_errors(prediction, 0 * truth).values())


def test_the_median_of_an_even_count_is_the_mean_of_the_middle_two():
    truth, prediction = torch.tensor([[2.0, 4.0, 8.0, 20.0, 0.0]]), torch.tensor([[1.0, 1.0, 2.0, 9.0, 7.0]])
    assert torch.equal(evaluation.median_scaled(prediction, truth), prediction * (6.0 / 1.5))


def test_depth_errors_of_metric_depth_by_hand():
    truth, prediction = torch.tensor([[[2.0, 4.0, 8.0, 0.0]]]), torch.tensor([[[1.0, 4.0, 9.0, 5.0]]])
    found = evaluation.depth_errors(prediction, truth, scaled=False)
    assert found == pytest.approx({"abs_rel": (0.5 + 0 + 0.125) / 3, "rmse": np.sqrt(2 / 3), "a1": 2 / 3})


def test_end_point_error_by_hand_over_valid_pixels():
    truth, flow = torch.zeros(1, 2, 1, 3), torch.zeros(1, 2, 1, 3)
    flow[0, :, 0] = torch.tensor([[3.0, 0.0, 50.0], [4.0, 1.0, 0.0]])
    valid = torch.tensor([[[True, True, False]]])
    assert evaluation.end_point_error(flow, truth, valid) == pytest.approx((5 + 1) / 2)
    assert np.isnan(evaluation.end_point_error(flow, truth, ~valid & False))


def test_a_pixel_stays_inside_up_to_the_centres_of_the_border():
    flow = torch.zeros(1, 2, 2, 3)
    flow[0, 0] = torch.tensor([[2.0, 1.1, -2.0], [-0.1, 0.0, 0.0]])
    flow[0, 1, 1] = torch.tensor([0.0, 0.1, -1.0])
    assert evaluation.stays_inside(flow)[0].tolist() == [[True, False, True], [False, False, True]]
