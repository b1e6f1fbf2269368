"""Exports read by other programs; skipped where one is missing. `make test-tools` has all but FiftyOne."""

import pytest

from tests.export_cases import CASE_NAMES, build_case


@pytest.fixture(params=CASE_NAMES)
def case(request, tmp_path):
    return build_case(request.param, tmp_path)
