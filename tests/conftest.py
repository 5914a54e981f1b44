"""What all tests share: hypothesis without a deadline, for the machine may be busy."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("attnwidget", deadline=None)
settings.load_profile("attnwidget")
