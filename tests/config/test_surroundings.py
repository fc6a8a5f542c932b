"""What commands do without: streams, a folder to be in, room for temporary files, a home, a hub."""

import errno
import socket
import sys
import tempfile

import pytest
import running
from huggingface_hub import constants

from heatmap_research.config import surroundings
from heatmap_research.data.rendering import pool
from heatmap_research.network import backbone
from heatmap_research.runs import no_place
from heatmap_research.training.devices import refuse_absent
from heatmap_research.types import IncompatibleError


def test_what_is_missing_around_a_command_is_done_without_or_said(monkeypatch, tmp_path, caplog):
    monkeypatch.setattr(sys, "stdout", None)
    surroundings.make_do()
    with sys.stdout as opened:
        print("nobody reads this", file=opened)
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(SystemExit, match="no longer there: cd to another"):
        surroundings.make_do()
    monkeypatch.chdir(tmp_path)

    full = OSError(errno.ENOSPC, "No space left on device")
    assert no_place.in_words(full).startswith("No space")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    assert no_place.in_words(full).startswith(f"TMPDIR={tmp_path / 'nowhere'}: No space")

    figures = running.build_data(running.compose(*running.TINY)).dataset("val").figures
    assert len(pool.load(figures, 0, 2, "~no_such_user/here")) == 2
    assert "data.cache=~no_such_user/here has no place here" in caplog.text

    for device in ("cpu", "auto"):
        refuse_absent(device)
    with pytest.raises(IncompatibleError, match=r"=tpu: .*: choose trainer.accelerator=cpu"):
        refuse_absent("tpu")

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{taken.getsockname()[1]}")
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        backbone._spare_retries()
        assert constants.HF_HUB_OFFLINE
        with pytest.raises(IncompatibleError, match="name=hf-hub:a/b: its hub does not say"):
            backbone._create("hf-hub:a/b", False, None, 3, {})
