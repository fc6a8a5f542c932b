"""A few hundred files with something wrong in them; `make mutants` tries thousands."""

from itertools import islice

import pytest
from faults import limits, mutated_annotations, mutated_formats, mutated_images


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return mutated_annotations.with_pictures(tmp_path_factory.mktemp("set"))


def test_annotations_are_checked_as_they_are_trained_on_whatever_is_in_them(folder):
    files = islice(mutated_annotations.mutants(seed=1), 100)
    judged = {name: mutated_annotations.judged(content, folder) for name, content in files}
    assert {name: problem for name, problem in judged.items() if problem} == {}


def test_boxes_are_read_or_refused_in_a_line_whatever_is_in_them(folder):
    files = islice(mutated_annotations.boxes(seed=1), 60)
    judged = {name: mutated_annotations.judged_boxes(content, folder) for name, content in files}
    assert {name: problem for name, problem in judged.items() if problem} == {}


def test_damaged_pictures_are_read_or_refused_in_a_line(tmp_path):
    files = islice(mutated_images.damaged(seed=1), 60)
    judged = {name: mutated_images.judged(kept, tmp_path) for name, kept in files}
    assert {name: problem for name, problem in judged.items() if problem} == {}


def test_odd_pictures_are_read_or_refused_in_a_line(tmp_path):
    files = mutated_images.odd().items()
    small = {name: kept for name, kept in files if not mutated_images.largest(name)}
    judged = {name: mutated_images.judged(kept, tmp_path) for name, kept in small.items()}
    assert {name: problem for name, problem in judged.items() if problem} == {}


def test_labels_of_other_tools_and_arrays_are_taken_or_refused_in_a_line(tmp_path):
    pytest.importorskip("h5py")
    labels = islice(mutated_formats.labels(seed=1), 100)
    judged = {name: mutated_formats.judged(case, tmp_path) for name, case in labels}
    for name, content in islice(mutated_formats.arrays(seed=1), 30):
        judged[name] = mutated_formats.judged_array(content, tmp_path)
    assert {name: problem for name, problem in judged.items() if problem} == {}


def test_labels_losses_and_decoders_are_finite_or_refused_at_the_limits_of_numbers():
    judged = {name: limits.judged(case) for name, case in islice(limits.cases(seed=1), 200)}
    assert {name: problem for name, problem in judged.items() if problem} == {}
