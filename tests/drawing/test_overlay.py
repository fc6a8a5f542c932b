"""What joints look like in a picture."""

from heatmap_research.drawing import overlay


def test_sides_have_a_colour_each_and_joints_without_sides_one_of_their_own():
    names = ("nose", "left_eye", "right_eye")
    left, right, middle = overlay.LEFT, overlay.RIGHT, overlay.MIDDLE
    assert overlay.colours(names, (0, 2, 1)) == [middle, left, right]
    landmarks = overlay.colours([str(n) for n in range(68)], range(68))
    assert len(set(landmarks)) == 68
