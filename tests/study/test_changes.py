"""The verdicts of two studies side by side."""

from dataclasses import replace

from restoration.study.changes import changes_table
from restoration.study.report import sections
from restoration.study.statistics import Comparisons
from tests.studies import GAINS, SECOND, whole_study


def test_changes():
    """Then, now and the settings that differ, if the verdicts do; a claim of one study alone has a dash."""
    then = whole_study()
    now = whole_study(SECOND, repeated="main", gains={**GAINS, "l1": -0.4})
    now = replace(now, variant="second", runs=now.runs.assign(patches=30_000, optimizer="soap", protocol="other"))
    now.runs.loc[now.runs["loss"] == "l2", "learning_rate"] = 0.003
    table = changes_table(Comparisons(then), Comparisons(now))
    rows = {name: [cell.text for cell in cells] for name, cells in table.rows}
    differing = (
        "patches: 100,000 → 30,000; optimiser: adam → soap; learning rate: 0.001 → 0.001 to 0.003; seeds: 1 → 3; "
        "protocol of the scores"
    )
    assert rows["1. L1 beats L2: JPEG deblocking"] == ["supported", "refuted", differing]
    assert rows["4a. MS-SSIM beats SSIM: JPEG deblocking"] == ["refuted", "refuted", "–"]
    assert rows["Q8. L1 beats L2 with SGD and momentum: Demosaicking + denoising"] == ["–", "refuted", "–"]
    assert table.notes[0] == "then: photos-quick; now: photos-second"
    (section,) = (each for each in sections(now, before=then) if "changes.md" in each.files)
    assert section.blocks == [table]
