"""Plans: operations against published counts and torch's own, the arithmetic by hand, and published runs."""

import math

import pytest

from seesay.errors import InputError
from seesay.training.plan import machine
from seesay.training.plan.accelerators import ACCELERATORS, read_fleet
from seesay.training.plan.computation import towers
from seesay.training.plan.estimate import plan, storage
from seesay.training.plan.runs import RUNS, PublishedRun, comparisons, fit, spread

# GFLOP of the image tower and of the text tower, as OpenCLIP publishes them (docs/model_profile.csv, counted by fvcore).
OPEN_CLIP_GFLOPS = {
    "ViT-B-32": (8.82, 5.96),
    "ViT-B-16": (35.13, 5.96),
    "ViT-L-14": (162.03, 13.3),
    "ViT-L-14-336": (381.92, 13.3),
    "ViT-H-14": (334.59, 47.09),
    "ViT-g-14": (534.06, 47.09),
    "ViT-bigG-14": (967.5, 97.86),
    "ViT-B-16-SigLIP": (35.42, 11.02),
    "ViT-SO400M-14-SigLIP-384": (670.35, 53.13),
    "EVA02-L-14": (162.0, 13.3),
    "convnext_base_w": (40.11, 9.27),
    "swin_base_patch4_window7_224": (30.86, 9.27),
    "RN50x64": (529.11, 23.55),
}


@pytest.mark.parametrize("model", OPEN_CLIP_GFLOPS)
def test_operations_of_the_towers_are_those_that_were_published(model: str) -> None:
    image, text = OPEN_CLIP_GFLOPS[model]
    found = towers(model)
    within = 0.02 if model.startswith("RN") else 0.002  # fvcore counts a ResNet's attention pool over all its queries
    assert found.image_flops / 1e9 == pytest.approx(image, rel=within)
    assert found.text_flops / 1e9 == pytest.approx(text, rel=within)


def test_a_backward_pass_takes_twice_the_forward_pass_as_torch_counts_them() -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    from seesay.checkpoints.hub.catalog import architecture
    from seesay.models.clip import make_tower
    from seesay.models.initialise import initialise

    pair = architecture("TinyCLIP-ResNet-19M-Text-19M")
    tower = make_tower(pair.image, pair.dim).train()
    initialise(tower)
    pixels = torch.rand(1, 3, pair.image.image_px, pair.image.image_px)
    with FlopCounterMode(display=False) as forward:
        tower(pixels)
    with FlopCounterMode(display=False) as both:
        tower(pixels).sum().backward()
    found = towers("TinyCLIP-ResNet-19M-Text-19M")
    assert found.image_flops == pytest.approx(forward.get_total_flops(), rel=0.01)
    assert both.get_total_flops() / forward.get_total_flops() == pytest.approx(3, rel=0.01)
    assert found.pair_flops() == 3 * found.forward_flops
    assert found.pair_flops(checkpointing=True) == 4 * found.forward_flops


def test_a_plan_is_the_arithmetic_on_paper() -> None:
    found = plan("ViT-B-32", 400_000_000, read_fleet("a100:256"), epochs=32, utilisation=0.25)
    flops = 3 * towers("ViT-B-32").forward_flops * 400e6 * 32
    assert found.flops == pytest.approx(flops)
    assert found.days == pytest.approx(flops / (0.25 * 256 * 312e12) / 86_400)
    assert (found.days_low, found.days_high) == (found.days, found.days)
    assert found.steps == round(400e6 * 32 / 32_768)
    assert found.fleet.machines == 32
    assert found.pairs_per_s == pytest.approx(400e6 * 32 / (found.days * 86_400))
    assert found.feed_bytes_per_s == pytest.approx(found.pairs_per_s * 25_088)
    assert found.state_bytes == 16 * found.towers.parameters


def test_the_shards_of_a_plan_are_as_large_as_those_that_were_downloaded() -> None:
    """10 TB of LAION-400M at 256 px, 220 TB of LAION-5B at 384 px (img2dataset, dataset_examples)."""
    assert storage(400_000_000, 512, 256).shards == pytest.approx(10e12, rel=0.01)
    assert storage(5_860_000_000, 512, 384).shards == pytest.approx(220e12, rel=0.01)
    stored = storage(1000, 512)
    assert stored.pictures < stored.shards
    assert (stored.embeddings, stored.index) == (1000 * 2 * 512 * 2, 1000 * (512 + 128))


def test_checkpointing_takes_a_third_longer_and_double_the_accelerators_half_as_long() -> None:
    usual = plan("ViT-L-14", 10**8, read_fleet("h100:64"))
    assert plan("ViT-L-14", 10**8, read_fleet("h100:64"), checkpointing=True).days == pytest.approx(usual.days * 4 / 3)
    assert plan("ViT-L-14", 10**8, read_fleet("h100:128")).days == pytest.approx(usual.days / 2)
    assert usual.days_low < usual.days < usual.days_high


def test_a_published_model_is_planned_as_its_architecture() -> None:
    assert towers("open_clip/ViT-B-32/laion2b_s34b_b79k").name == towers("ViT-B-32").name == "ViT-B-32"


def test_a_law_is_found_again_from_runs_that_follow_it() -> None:
    def follows(model: str) -> PublishedRun:
        share = 0.05 * (towers(model).forward_flops / 1e9) ** 0.25
        days = towers(model).pair_flops() * 1e9 / (share * 8 * 312e12) / 86_400
        return PublishedRun(model, model, "a100", 8, 1e9, days, False, "made here")

    found = fit([follows(model) for model in ("ViT-B-32", "ViT-B-16", "ViT-L-14", "ViT-H-14")])
    assert found.at_one_gflop == pytest.approx(0.05)
    assert found.exponent == pytest.approx(0.25)
    assert found.utilisation("ViT-B-32") == pytest.approx(0.05 * 14.78**0.25, rel=1e-3)


def test_published_runs_are_estimated_within_the_factors_that_the_page_states() -> None:
    errors = [abs(math.log(1 + each.error)) for each in comparisons() if each.error is not None]
    assert len(errors) == len(RUNS) - 1  # SigLIP's pairs are not published
    assert sorted(errors)[len(errors) // 2] < math.log(1.5)
    low, high = spread()
    assert 0.5 < low < 1 < high < 2


def test_the_rates_of_published_runs_are_days_of_their_pairs() -> None:
    openai = RUNS[0]
    assert openai.utilisation == pytest.approx(4 * 175.33e9 * 12.8e9 / (12 * 86_400 * 256 * 125e12), rel=1e-3)
    rated = next(run for run in RUNS if run.name == "OpenCLIP ViT-H/14 LAION-2B")
    assert rated.days is not None
    assert rated.pairs is not None
    assert rated.pairs / rated.days / 86_400 == pytest.approx(34_608)


@pytest.mark.parametrize("text", ["a100:256", "A100:256", " a100:256 "])
def test_a_fleet_is_read_from_its_text(text: str) -> None:
    fleet = read_fleet(text)
    assert (fleet.accelerator, fleet.count, fleet.machines) == (ACCELERATORS["a100"], 256, 32)
    assert read_fleet("rtx_4090").count == 1
    assert read_fleet("h100:9").machines == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a1000:3", "no accelerator 'a1000' is known; near: a100. All of them: v100, t4"),
        ("a100:0", "expected a number of accelerators above 0"),
        ("a100:many", "got 'many'"),
        ("", "no accelerator ''"),
    ],
)
def test_a_fleet_that_is_none_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_fleet(text)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"pairs": 0}, "expected pairs above 0, got 0"),
        ({"epochs": 0}, "expected epochs above 0"),
        ({"batch": -1}, "expected batch above 0"),
        ({"utilisation": 1.5}, "at most 1, got 1.5"),
        ({"picture_px": 8}, "at least 64, got 8"),
        ({"model": "ViT-B-33"}, "no architecture 'ViT-B-33'; near: ViT-B-32"),
    ],
)
def test_a_plan_of_nothing_is_refused(values: dict[str, object], message: str) -> None:
    given = {"model": "ViT-B-32", "pairs": 100, "fleet": read_fleet("a100")} | values
    with pytest.raises(InputError, match=message):
        plan(**given)  # type: ignore[arg-type]


def test_this_machine_is_measured_and_its_jobs_take_what_their_work_says(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr(machine, "BATCH", 2)
    monkeypatch.setattr(machine, "STEPS", 1)
    found = machine.measure()
    assert found.forward_flops_per_s > 1e8
    assert found.training_flops_per_s is not None
    assert found.training_flops_per_s > 1e7
    listed = machine.jobs(found, ("ViT-B-16", 1000, 2))
    assert (listed[0].name, listed[0].pairs, listed[0].training) == ("your plan", 1000, True)
    assert listed[0].flops == towers("ViT-B-16").pair_flops() * 2000
    assert listed[0].days == pytest.approx(listed[0].flops / found.training_flops_per_s / 86_400)


def test_without_torch_a_machine_trains_nothing() -> None:
    bare = machine.Machine("a processor", 2, 16.0, "cpu", 1e11, None)
    assert {job.training: job.days is None for job in machine.jobs(bare)} == {False: False, True: True}
