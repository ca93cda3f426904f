"""The page of a fine-tuning: losses come first, the pictures show as many labels as they can, and labels are counted."""

from pathlib import Path

from seesay.training.finetune.comparison import Change, Comparison
from seesay.training.finetune.page import MOST_SHOWN, page_of


def test_losses_come_first_and_labels_take_turns() -> None:
    gains = [Change(Path(f"{label}-{n}.png"), label, "wrong", label) for label in ("apple", "pear") for n in range(40)]
    losses = [Change(Path("plum.png"), "plum", "plum", "fig"), Change(Path("apple.png"), "apple", "apple", "fig")]
    report = page_of("mine", (), Comparison((), tuple(gains + losses), (), {}))
    first, second = report.examples
    assert first.title == "Right before, wrong now (2)"
    assert [example.note for example in first.examples] == ["plum, now: fig", "apple, now: fig"]
    assert second.title == f"Wrong before, right now ({MOST_SHOWN} of 80 are shown)"
    notes = [example.note for example in second.examples[:4]]
    assert notes == ["apple, before: wrong", "pear, before: wrong"] * 2
    table = next(table for table in report.tables if table.rows)
    assert table.rows == (("plum", "0", "1"), ("apple", "40", "1"), ("pear", "40", "0"))


def test_a_comparison_without_changes_has_no_pictures() -> None:
    report = page_of("mine", (), Comparison((), (), (), {}))
    assert report.examples == ()
    assert not any(table.rows for table in report.tables)
