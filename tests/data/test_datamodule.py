from types import SimpleNamespace

import pictures
import pytest
import running
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_lightning import LightningModule, Trainer
from running import build_data

from heatmap_research.data import annotations
from heatmap_research.data.datamodule import DataModule, ShuffledBatches, collate
from heatmap_research.data.protocols import About, KeypointDataset, about
from heatmap_research.data.rendering import body
from heatmap_research.types import Sample

sizes = st.integers(1, 60)
batch_sizes = st.integers(1, 7)
seeds = st.integers(0, 5)
ranks = st.integers(1, 4)


def stream(size, batch_size, seed, position=0, rank=0, ranks=1, endless=False, epochs=1):
    """The batches of this many epochs, as a loop that counts what it trained on sees them."""
    trained = position
    batches = ShuffledBatches(size, batch_size, seed, lambda: trained, rank, ranks, endless)
    found = []
    for _ in range(epochs):
        for batch in batches:
            found.append(batch)
            trained += 1
    return found


@given(size=sizes, batch_size=batch_sizes, seed=seeds, skip=st.integers(0, 40))
@settings(max_examples=40, deadline=None)
def test_starting_later_gives_the_rest_of_the_same_stream(size, batch_size, seed, skip):
    whole = stream(size, batch_size, seed, epochs=4)
    rest = stream(size, batch_size, seed, position=min(skip, len(whole)), epochs=4)
    left = whole[min(skip, len(whole)) :]
    assert rest[: len(left)] == left


@given(size=sizes, batch_size=batch_sizes, seed=seeds)
@settings(max_examples=40, deadline=None)
def test_an_epoch_shows_each_image_at_most_once_and_leaves_out_less_than_a_batch(
    size, batch_size, seed
):
    shown = [index for batch in stream(size, batch_size, seed) for index in batch]
    assert len(shown) == len(set(shown)) == size - size % batch_size
    assert set(shown) <= set(range(size))


@given(batches=st.integers(1, 10), batch_size=batch_sizes, seed=seeds, ranks=ranks)
@settings(max_examples=40, deadline=None)
def test_ranks_share_what_one_process_would_train_on_at_once(batches, batch_size, seed, ranks):
    size = batches * batch_size * ranks
    together = stream(size, batch_size * ranks, seed)
    apart = [stream(size, batch_size, seed, rank=r, ranks=ranks) for r in range(ranks)]
    for step, whole in enumerate(together):
        assert [index for part in apart for index in part[step]] == whole


def test_every_epoch_has_an_order_of_its_own():
    whole = stream(64, 8, seed=0, epochs=3)
    orders = [[i for batch in whole[e * 8 : e * 8 + 8] for i in batch] for e in range(3)]
    assert [sorted(order) for order in orders] == [list(range(64))] * 3
    assert orders[0] != orders[1] != orders[2] != orders[0]


def test_every_seed_has_an_order_of_its_own_and_keeps_it():
    assert stream(64, 8, seed=0) == stream(64, 8, seed=0)
    assert stream(64, 8, seed=0) != stream(64, 8, seed=1)


def test_an_order_is_no_other_seeds_order_of_a_later_epoch():
    later = stream(64, 8, seed=0, epochs=4)
    assert stream(64, 8, seed=1) not in [later[i * 8 : i * 8 + 8] for i in range(4)]


@given(size=sizes, batch_size=batch_sizes, seed=seeds)
@settings(max_examples=40, deadline=None)
def test_an_endless_stream_shows_nothing_twice(size, batch_size, seed):
    shown = [i for batch in stream(size, batch_size, seed, endless=True, epochs=5) for i in batch]
    assert len(shown) == len(set(shown))


def test_the_order_leaves_torchs_own_randomness_alone():
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    stream(64, 8, seed=0)
    assert torch.equal(torch.rand(4), expected)


def sample(index):
    return Sample(
        image=torch.zeros(3, 4, 4, dtype=torch.uint8),
        keypoints=torch.full((2, 2), float(index)),
        visible=torch.tensor([2, 0]),
        to_source=torch.eye(2, 3),
        scale=torch.tensor(1.0),
        image_id=torch.tensor(index),
        instance_id=torch.tensor(100 + index),
        box=torch.zeros(4),
        box_score=torch.tensor(1.0),
        head=torch.tensor(torch.nan),
        overlap=torch.tensor(0.0),
        others=torch.full((2, 2), torch.nan),
        others_visible=torch.zeros(2, dtype=torch.long),
    )


class Plain:
    """The least that is a data set."""

    def __init__(self, size):
        self.size = size

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        return sample(index)


def module(size=20, batch_size=8, overfit=0):
    make = {stage: lambda: Plain(size) for stage in ("train", "val", "test")}
    return DataModule(make, batch_size, workers=0, seed=0, overfit=overfit)


def test_samples_become_a_batch_with_one_more_axis():
    batch = collate([sample(3), sample(5)])
    assert batch.image.shape == (2, 3, 4, 4)
    assert batch.keypoints[:, 0, 0].tolist() == [3, 5]
    assert batch.instance_id.tolist() == [103, 105]


def test_the_joints_to_learn_are_those_of_both_figures():
    whole = collate([sample(3), sample(5)])
    whole = whole._replace(others=whole.keypoints + torch.tensor([[1.0], [2.0]]))
    batch = collate(whole, joints=[1])
    assert torch.equal(batch.others, batch.keypoints + 2)
    assert batch.visible.shape == batch.others_visible.shape == (2, 1)


def test_a_batch_that_was_collated_stays_as_it_is():
    batch = collate([sample(3)])
    assert collate(batch) is batch


class Telling(Plain):
    """A data set that says all it may of itself."""

    about = About(body.SCHEMA, skipped=("a.jpg is missing",), endless=True, device="cuda")


def test_two_methods_make_a_data_set_of_which_nothing_more_is_known():
    assert isinstance(Plain(3), KeypointDataset)
    assert about(Plain(3)) == About()
    data = module()
    assert (data.truth("val"), data.skipped) == (None, {})


def test_what_a_data_set_says_of_itself_is_heard():
    make = {"train": lambda: Telling(9)}
    data = DataModule(make, 3, workers=0, seed=0, overfit=0, names=body.SCHEMA.names)
    assert data.train_dataloader().batch_sampler.endless
    assert data.skipped == {"train": ["a.jpg is missing"]}
    other = DataModule(make, 3, workers=0, seed=0, overfit=0, names=("nose",))
    with pytest.raises(ValueError, match=r"data\.train has the joints head, "):
        other.dataset("train")


class Asks(LightningModule):
    """Notes which annotations count, as each evaluation begins."""

    def on_validation_epoch_start(self):
        self.truth = self.trainer.datamodule.truth("val")

    def on_test_epoch_start(self):
        self.truth = self.trainer.datamodule.truth("test")

    def validation_step(self, batch, batch_idx): ...

    test_step = validation_step


@pytest.mark.parametrize(("limit", "counts"), [(1.0, True), (3, True), (2, False), (0.5, False)])
def test_people_that_a_limit_leaves_out_are_not_missed(limit, counts, tmp_path):
    person = {"image": 0, "box": [0, 0, 9, 9], "keypoints": [[1, 1, 2]] * 3}
    file = pictures.annotate(tmp_path / "a.json", [("a.jpg", 9, 9)], [person])
    truth = annotations.read(file)

    class Annotated(Plain):
        about = About(truth=truth)

    stages = ("val", "test")
    limits = {f"limit_{stage}_batches": limit for stage in stages}
    quiet = dict(logger=False, enable_checkpointing=False, enable_progress_bar=False)
    trainer = Trainer(accelerator="cpu", default_root_dir=tmp_path, **limits, **quiet)
    make = {stage: lambda: Annotated(9) for stage in stages}
    for evaluate in (trainer.validate, trainer.test):
        task = Asks()
        evaluate(task, DataModule(make, 3, workers=0, seed=0, overfit=0), verbose=False)
        assert task.truth is (truth if counts else None)


def test_of_a_part_only_its_device_is_known():
    part = DataModule({"train": lambda: Telling(9)}, 3, 0, seed=0, overfit=1).dataset("train")
    assert len(part) == 3
    assert about(part) == About(device="cuda")


def test_training_drops_a_last_part_of_a_batch_and_evaluation_does_not():
    data = module()
    assert [len(batch.image) for batch in data.train_dataloader()] == [8, 8]
    assert [len(batch.image) for batch in data.val_dataloader()] == [8, 8, 4]
    assert [int(i) for b in data.test_dataloader() for i in b.image_id] == list(range(20))


@given(more=st.integers(0, 31), ranks=st.integers(1, 9), batch_size=batch_sizes)
@settings(max_examples=60, deadline=None)
def test_an_evaluation_shows_each_instance_once_on_any_number_of_ranks(more, ranks, batch_size):
    shown = []
    for rank in range(ranks):
        data = module(ranks + more, batch_size)
        data.trainer = SimpleNamespace(global_rank=rank, world_size=ranks)
        loader = data.val_dataloader()
        batches = [batch.image_id.tolist() for batch in loader]
        assert len(batches) == len(loader)
        shown += [i for batch in batches for i in batch]
    assert sorted(shown) == list(range(ranks + more))


def test_overfitting_trains_and_validates_on_the_same_few():
    data = module(overfit=1)
    trained = {int(i) for batch in data.train_dataloader() for i in batch.image_id}
    validated = {int(i) for batch in data.val_dataloader() for i in batch.image_id}
    assert trained == validated == set(range(8))
    assert len(data.dataset("test")) == 20


def test_a_batch_larger_than_the_data_is_refused():
    with pytest.raises(ValueError, match=r"data.batch_size=21 .* 20 training samples"):
        module(batch_size=21).train_dataloader()


def test_a_data_set_is_made_when_it_is_needed_and_once():
    made = []

    def make(stage):
        made.append(stage)
        return Plain(4)

    stages = ("train", "val", "test")
    data = DataModule({s: lambda s=s: make(s) for s in stages}, 2, 0, seed=0, overfit=0)
    assert made == []
    data.val_dataloader()
    data.val_dataloader()
    assert made == ["val"]


def test_an_endless_config_never_trains_on_an_image_twice():
    endless = ("data.pool=null", "data.length=24", "data.batch_size=8")
    data = build_data(running.compose(*running.TINY, *endless))
    batches = data.train_dataloader().batch_sampler
    shown = []
    for epoch in range(3):
        batches.position = lambda epoch=epoch: epoch * 3
        shown += [i for batch in batches for i in batch]
    assert len(set(shown)) == 72
    ids = data.dataset("train").__getitems__(shown).image_id
    assert len(set(ids.tolist())) == 72
