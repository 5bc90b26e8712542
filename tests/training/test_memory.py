"""Photographs that do not fit on a GPU are refused before they are moved."""

import pytest
import torch

from restoration.errors import UserError
from restoration.training.memory import check_memory


def test_photographs_must_fit(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (4_000_000_000, 8_000_000_000))
    check_memory(torch.device("cuda"), {"training": 3_000_000_000})
    check_memory(torch.device("cpu"), {"training": 9_000_000_000})
    with pytest.raises(UserError, match=r"need 4\.5 GB, and cuda:1 has 4\.0 GB(.|\n)*validation: 1\.5 GB"):
        check_memory(torch.device("cuda", 1), {"training": 3_000_000_000, "validation": 1_500_000_000})
