import pytest
import running
import torch

from heatmap_research.network.local import Local
from heatmap_research.types import IncompatibleError

FIELDS = {1: (1, 3, 7), 2: (3, 7, 15), 4: (7, 15, 31), 8: (15, 31)}  # by stride
CASES = [(stride, field) for stride, fields in FIELDS.items() for field in fields]


def local(field, stride, depth=3, channels=16):
    torch.manual_seed(0)
    return Local(field, stride, depth, channels, in_chans=3).double().eval()


def seen(network, row, column, size=(64, 66)):
    """The pixels on which a cell of the first map depends: where its gradient is not zero."""
    image = torch.rand(1, 3, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    image = (255 * image).requires_grad_()
    network(image)[0][0, :, row, column].sum().backward()
    return (image.grad[0] != 0).any(0)


def square(field, row, column, stride, size=(64, 66)):
    """A square around the middle of a cell; an odd one around an even cell is half a pixel off."""
    expected = torch.zeros(size, dtype=torch.bool)
    top, left = (stride * place - (field - stride) // 2 for place in (row, column))
    expected[max(top, 0) : top + field, max(left, 0) : left + field] = True
    return expected


@pytest.mark.parametrize(("stride", "field"), CASES)
def test_a_cell_depends_on_every_pixel_of_its_field_and_on_no_other(stride, field):
    network = local(field, stride)
    row, column = 32 // stride, 36 // stride
    assert square(field, row, column, stride).sum() == field**2
    assert torch.equal(seen(network, row, column), square(field, row, column, stride))


@pytest.mark.parametrize("field", FIELDS[4])
def test_a_cell_at_the_border_sees_what_there_is_of_its_field(field):
    network = local(field, stride=4)
    for row, column in ((0, 0), (15, 0), (0, 16)):
        assert torch.equal(seen(network, row, column), square(field, row, column, 4))


@pytest.mark.parametrize("field", FIELDS[4])
def test_a_score_of_the_whole_network_sees_no_more(field):
    cfg = running.compose("backbone=local", f"backbone.field={field}", "head.init_std=0.1")
    torch.manual_seed(0)
    net = running.build(cfg).net.double().eval()
    assert torch.equal(seen(net, 8, 8, (64, 64)), square(field, 8, 8, 4, (64, 64)))


@pytest.mark.parametrize(("stride", "field"), CASES)
def test_a_level_has_the_cells_of_its_stride_also_of_an_image_that_ends_within_one(stride, field):
    network = local(field, stride).float()
    (level,) = network(torch.zeros(2, 3, 49, 64, dtype=torch.uint8))
    assert network.levels[0].stride == stride
    assert level.shape == (2, 16, -(-49 // stride), 64 // stride)


def test_networks_of_all_fields_are_equally_deep():
    depths = {
        field: sum(isinstance(layer, torch.nn.Conv2d) for layer in local(field, 4).modules())
        for field in FIELDS[4]
    }
    assert set(depths.values()) == {5}  # two that halve, three at stride 4


@pytest.mark.parametrize(
    ("field", "stride", "possible"),
    [(9, 4, "7, 15, 23, 31 pixels"), (39, 4, "7, 15, 23, 31 pixels"), (7, 8, "15, 31, 47, 63")],
)
def test_a_field_that_a_stride_does_not_allow_is_refused_with_those_it_does(
    field, stride, possible
):
    with pytest.raises(IncompatibleError, match=rf"backbone.field={field}: .*{possible}"):
        local(field, stride)


@pytest.mark.parametrize("stride", [0, 3, -4])
def test_a_stride_that_no_halving_reaches_is_refused(stride):
    with pytest.raises(IncompatibleError, match=rf"backbone.stride={stride}: choose 1, 2, 4"):
        local(15, stride)
