"""What tests share: hypothesis without a deadline, for the machine may be busy, and a widget."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings
from recording import RecordingComm

from attnwidget import AttentionWidget

settings.register_profile("attnwidget", deadline=None)
settings.load_profile("attnwidget")


@pytest.fixture
def w() -> Iterator[AttentionWidget]:
    """A sentence of six tokens, whose sizes differ from each other, on a comm that records."""
    widget = AttentionWidget("The cat sat on the mat", d_model=5, d_k=3, d_v=2)
    widget.comm = RecordingComm()
    yield widget
    widget.close()
