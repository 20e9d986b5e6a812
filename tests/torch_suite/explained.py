"""Why a test's outcome on allred differs from that on Gloo, reviewed by a person. The report repeats it."""

from __future__ import annotations

EXPLANATIONS: dict[str, str] = {}
