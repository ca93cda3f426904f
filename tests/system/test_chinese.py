"""Chinese characters are told from letters that stand beside them."""

import pytest

from seesay.system.chinese import is_chinese


@pytest.mark.parametrize("text", ["狗", "a 狗", "㐀", "龥", "豈", "𠀀", "\U0002fa1d"])
def test_ideographs_are_chinese(text: str) -> None:
    assert is_chinese(text)


@pytest.mark.parametrize("text", ["", "dog", "ねこ", "カメラ", "한국", "。，！", "é", "😀", "\u4dc0", "\U0002fa20"])
def test_other_scripts_and_marks_are_not(text: str) -> None:
    assert not is_chinese(text)
