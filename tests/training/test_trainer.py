"""Whole runs on a small data set: training, checkpoints, resuming, and errors of recipes."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import seesay
from seesay.errors import InputError, TrainingError
from seesay.evaluation.datasets import read_captions
from seesay.evaluation.retrieval import recalls
from seesay.training.run.checkpoints import CheckpointFolder, read_state
from seesay.training.run.observer import Observer
from seesay.training.setup import set_up
from seesay.training.trainer import train
from tests.training.conftest import TOWERS, VALIDATION, Make

Records = Callable[[Path], list[dict[str, Any]]]
STARTED = """
[model]
start = "bundled"
dim = 32

[model.image]
projection = "linear"
unlocked_groups = 1

[model.text]
projection = "mlp"
unlocked_groups = 1
"""


LOCKED = '[model]\nstart = "bundled"\n[model.image]\nunlocked_groups = 0\n[model.text]\nunlocked_groups = 0\n'


def losses(records: list[dict[str, Any]]) -> list[float]:
    return [record["loss"] for record in records if "loss" in record]


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = CheckpointFolder(folder / "checkpoints", 2).last()["weights"]  # type: ignore[index]
    return state


class Stop(Observer):
    """Stops after a step."""

    def __init__(self, after: int) -> None:
        self.after, self.done = after, 0

    def on_step(self, record: dict[str, Any]) -> None:
        self.done = record["step"]

    def should_stop(self) -> bool:
        return self.done >= self.after


class Notes(Observer):
    """Keeps the notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)


def test_a_run_learns_its_world_and_leaves_a_model_that_opens(world: Path, recipe: Make, records: Records) -> None:
    result = train(recipe(more=VALIDATION))
    assert result.model is not None
    log = records(world / "run")
    assert losses(log)[0] > 2.5 > 1.6 > losses(log)[-1]
    checks = [record for record in log if "text_to_image" in record]
    assert [check["step"] for check in checks] == [20, 40]
    assert checks[-1]["text_to_image"]["R@5"] > 0.7  # by chance 5 of 16
    low, high = checks[-1]["bounds"]["text_to_image"]["R@5"]
    assert low <= checks[-1]["text_to_image"]["R@5"] <= high

    model = seesay.load(result.model)
    assert model.name == "world"
    captions = read_captions(world / "captions.tsv", language="en", split="val")
    retrieval = recalls(model.encode_image(captions.images), model.encode_text(captions.texts), captions.owner)
    best = max(checks, key=lambda check: check["score"])
    assert result.best == best
    for way in ("text_to_image", "image_to_text"):  # what training measured is what ONNX Runtime gives
        assert getattr(retrieval, way).recall == pytest.approx(best[way], abs=0.07)
    page = (world / "run" / "report.html").read_text(encoding="utf-8")
    assert "a red square" in page or "stripes" in page
    assert page.count("<svg") >= 5


def test_an_eva_tower_learns_with_its_patches_dropped(world: Path, recipe: Make, records: Records) -> None:
    eva = 'kind = "eva"\nmlp = "swiglu"\nrotary_grid = 16\ninner_norm = true'
    towers = TOWERS.replace('kind = "vit"', eva).replace('activation = "gelu"\nlayer_norm_eps = 1e-5\n', "")
    result = train(recipe("model.image.patch_dropout=0.25", towers=towers))
    log = losses(records(world / "run"))
    assert log[0] > 2.5 > 2.0 > log[-1]
    assert result.model is not None
    assert seesay.load(result.model).encode_pixels(np.zeros((1, 3, 32, 32), np.float32)).shape == (1, 24)


@pytest.mark.parametrize(
    "sets",
    [
        ("optimizer.ema=0.8", "data.augment.crop_scale=[0.5,1.0]", "data.augment.colour=0.3", "model.image.patch_dropout=0.5"),
        ("data.parts=2", "loss.kind=sigmoid", "loss.class_weight=0.3", "model.image.recompute=true"),
        ("loss.distillation.teacher=bundled", "data.sources.0.texts=all"),
    ],
)
def test_resume_after_a_stop_is_bit_equal(world: Path, recipe: Make, records: Records, sets: tuple[str]) -> None:
    short = ("steps=12", "checkpoints.every=4", *sets)
    train(recipe(*short, "out=whole"))
    stopped = train(recipe(*short, "out=broken"), observer=Stop(after=6))
    assert (stopped.model, stopped.step) == (None, 6)
    with (world / "broken" / "log.jsonl").open("a") as log:
        log.write('{"step": 7, "loss": 9')  # a kill cut it off
    resumed = train(recipe(*short, "out=broken"), resume=True)
    assert resumed.step == 12
    assert losses(records(world / "broken")) == losses(records(world / "whole"))
    whole, broken = weights_of(world / "whole"), weights_of(world / "broken")
    assert all(torch.equal(whole[name], broken[name]) for name in whole)
    files = [world / name / "model" / "model.safetensors" for name in ("whole", "broken")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_resume_after_sigkill_at_any_moment_is_bit_equal(world: Path, recipe: Make, records: Records) -> None:
    sets = ("steps=60", "checkpoints.every=1", "checkpoints.keep=1", "data.augment.crop_scale=[0.5,1.0]")
    recipe(more=VALIDATION)
    command = [sys.executable, "-W", "ignore", "-m", "seesay", "train", str(world / "recipe.toml")]
    command += [part for setting in sets for part in ("--set", setting)]
    # In a process of its own as well: this one may compute with another number of threads.
    subprocess.run([*command, "--set", "out=whole"], check=True, capture_output=True)
    command += ["--set", "out=killed", "--resume"]
    random, kills = np.random.default_rng(int(time.time())), 0
    for _ in range(12):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        folder = CheckpointFolder(world / "killed" / "checkpoints", 1)
        before = (folder.steps() or [0])[-1]
        while process.poll() is None and (folder.steps() or [0])[-1] < before + 5:
            time.sleep(0.01)
        time.sleep(float(random.uniform(0, 0.05)))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        _, errors = process.communicate()
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, errors.decode()
        if kills == 3:
            subprocess.run(command, check=True, capture_output=True)
            break
    assert kills >= 2
    assert losses(records(world / "killed")) == losses(records(world / "whole"))
    whole, killed = weights_of(world / "whole"), weights_of(world / "killed")
    assert all(torch.equal(whole[name], killed[name]) for name in whole)
    assert not list((world / "killed" / "checkpoints").glob("*.part*"))


def test_a_batch_in_parts_is_the_same_batch(world: Path, recipe: Make, records: Records) -> None:
    for parts in (1, 4):
        train(recipe("steps=6", f"data.parts={parts}", f"out=run{parts}"))
    assert losses(records(world / "run4")) == pytest.approx(losses(records(world / "run1")), abs=1e-5)


def test_locked_towers_are_encoded_once_and_do_not_move(world: Path, recipe: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {name: value.clone() for name, value in set_up(recipe(towers=STARTED)).clip.state_dict().items()}
    run = recipe("steps=6", "data.batch=40", towers=STARTED, more=VALIDATION.replace("20", "3"))
    result = train(run)
    after = read_state(next((world / "run" / "checkpoints").glob("best-*.pt")), "")["weights"]
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"image.projection.weight", "text.projection.up.weight", "text.projection.down.weight", "logit_scale"}
    assert {file.name for file in (world / "run" / "features").iterdir()} == {
        "pictures.npz",
        "texts.npz",
        "validation-pictures.npz",
        "validation-texts.npz",
    }
    assert result.model is not None
    shutil.rmtree(world / "images")  # a second run with the same weights and files would need to read them
    model = seesay.load(result.model)
    assert model.encode_text("a red square").shape == (1, 32)


def test_pictures_that_cannot_be_read_are_left_out_counted_and_told(world: Path, recipe: Make) -> None:
    for name in ("train-red-square-0.png", "val-red-square-0.png"):
        (world / "images" / name).write_bytes(b"nonsense")
    (world / "images" / "train-blue-square-0.png").unlink()
    result = train(recipe("steps=12", more=VALIDATION))
    assert sorted(result.skipped.reasons) == ["is not a picture that SeeSay reads", "no such file"]
    assert all(count >= 1 for count in result.skipped.reasons.values())
    assert {Path(name).name for name in result.skipped.examples} == {"train-red-square-0.png", "train-blue-square-0.png"}
    assert result.validation_skipped.reasons == {"is not a picture that SeeSay reads": 1}
    assert [Path(name).name for name in result.validation_skipped.examples] == ["val-red-square-0.png"]
    page = (world / "run" / "report.html").read_text(encoding="utf-8")
    for text in (
        "in training: is not a picture",
        "train-red-square-0.png",
        "left out 1 time in validation",
        "val-red-square-0.png",
    ):
        assert text in page
    again = train(recipe("steps=12", more=VALIDATION), resume=True)
    assert (again.skipped, again.validation_skipped) == (result.skipped, result.validation_skipped)


def test_a_loss_that_is_no_number_stops_the_run_with_its_batch(world: Path, recipe: Make) -> None:
    with pytest.raises(TrainingError, match="the loss of step .* is nan") as error:
        train(recipe("optimizer.learning_rate=1e30", "optimizer.warmup=0", "checkpoints.every=1"))
    saved = next((world / "run").glob("bad-step-*.pt"))
    assert saved.name in str(error.value)
    steps = CheckpointFolder(world / "run" / "checkpoints", 2).steps()
    assert (f"The checkpoint of step {steps[-1]} is whole" if steps else "No checkpoint was written yet") in str(error.value)
    batch = read_state(saved, "")
    assert len(batch["names"]) == len(batch["texts"]) == len(batch["pictures"]) == 16
    for file in (world / "run" / "checkpoints").glob("step-*.pt"):
        assert all(bool(value.isfinite().all()) for value in read_state(file, "")["weights"].values())


def test_a_folder_with_a_run_is_not_overwritten_and_another_recipe_does_not_resume_it(world: Path, recipe: Make) -> None:
    train(recipe("steps=4"))
    with pytest.raises(InputError, match="holds a run that has come to step 4. --resume goes on"):
        train(recipe("steps=8"))
    with pytest.raises(InputError, match="run of another recipe: data changed since"):
        train(recipe("steps=8", "data.batch=8"), resume=True)
    observer = Notes()
    assert train(recipe("steps=8"), resume=True, observer=observer).step == 8  # a longer run goes on from there
    assert observer.notes == ["going on after step 4 of 8"]


def test_a_stopped_run_is_finished_where_it_is_with_the_best_model(world: Path, recipe: Make, records: Records) -> None:
    with pytest.raises(InputError, match="no checkpoint in run of which a model could be made"):
        train(recipe(), finish=True)
    validation = VALIDATION.replace("20", "3")
    stopped = train(recipe("steps=100", more=validation), observer=Stop(after=7))
    assert (stopped.model, stopped.step) == (None, 7)
    with pytest.raises(seesay.errors.ModelError, match="run is a training run that has no model yet"):
        seesay.load("run")
    observer = Notes()
    ended = train(recipe("steps=100", more=validation), finish=True, observer=observer)
    assert (ended.step, ended.steps) == (7, 7)
    assert observer.notes == ["ending after step 7; the recipe has 100"]
    assert [r["step"] for r in records(world / "run") if "score" in r] == [3, 6, 7]  # the last weights are measured too
    assert train(recipe("steps=5", more=validation), resume=True).steps == 7  # as far as steps says, or farther
    assert [r["step"] for r in records(world / "run") if "score" in r] == [3, 6, 7]
    assert ended.best is not None
    best = read_state(world / "run" / "checkpoints" / f"best-{ended.best['step']:08d}.pt", "")["weights"]
    model = seesay.load("run")  # the model in it
    assert model.folder == Path("run/model")
    from safetensors.torch import load_file

    written = load_file(world / "run" / "model" / "model.safetensors")
    assert all(torch.equal(written[name], best[name]) for name in written)


def test_nothing_to_resume_is_told(recipe: Make) -> None:
    observer = Notes()
    train(recipe("steps=2"), resume=True, observer=observer)
    assert observer.notes == ["there is no checkpoint in run; a new run begins"]


def test_the_model_has_a_card(world: Path, recipe: Make) -> None:
    train(recipe("steps=4", "model.licence=MIT", more=VALIDATION.replace("20", "2")))
    card = seesay.load("run").card
    assert card.licence == "MIT"
    assert "Recipe world: batches of 16 of 80 samples of captions.tsv; weights of step" in card.training
    assert {score.metric for score in card.scores} >= {"text to image R@1", "image to text R@10"}
    assert all(score.task == "captions.tsv, val, en" and "95 % interval" in score.note for score in card.scores)


@pytest.mark.parametrize("own", ["unknown", "MIT"])
def test_a_model_made_of_another_has_its_licence(recipe: Make, own: str) -> None:
    theirs = seesay.load().config.licence
    assert theirs != "unknown"
    train(recipe("steps=1", f"model.licence={own}", towers=LOCKED.replace("unlocked_groups = 0", "unlocked_groups = 1")))
    model = seesay.load("run")
    assert model.config.licence == model.card.licence == (theirs if own == "unknown" else f"MIT; {theirs}")
    assert model.config.provenance[-1].licence == model.config.licence


def test_scores_of_other_validation_data_do_not_count(world: Path, recipe: Make) -> None:
    validation = VALIDATION.replace("20", "2")
    train(recipe("steps=4", more=validation))
    observer = Notes()
    result = train(recipe("steps=6", "validation.language=zh", more=validation), resume=True, observer=observer)
    assert "the validation is another than before: earlier scores do not count" in observer.notes
    assert result.best is not None
    assert (result.best["step"], result.best["data"]) == (6, "captions.tsv, val, zh")
    assert result.model is not None
    assert "the best on captions.tsv, val, zh" in seesay.load("run").card.training
    train(recipe("steps=6"), resume=True)
    assert seesay.load("run").card.training.endswith("weights of step 6.")


@pytest.mark.parametrize("change", ["precision=float16", "optimizer.ema=0.9", "optimizer.projection_factor=2.0"])
def test_what_may_change_on_resume_does(world: Path, recipe: Make, change: str) -> None:
    train(recipe("steps=4"))
    before = weights_of(world / "run")
    parts = set_up(recipe("steps=4", change), resume=True)
    if parts.ema is not None:  # it starts from the weights of the checkpoint, not from initial ones
        assert all(torch.equal(parts.ema.values[name], before[name]) for name in before)
    assert train(recipe("steps=6", change), resume=True).step == 6


def test_of_every_kept_checkpoint_the_best_weights_stay(world: Path, recipe: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = iter([0.1, 0.2, 0.3])
    monkeypatch.setattr("seesay.training.validation.score", lambda retrieval: next(scores))
    run = recipe("steps=6", "checkpoints.every=2", more=VALIDATION.replace("20", "2"))
    train(run)
    names = sorted(file.name for file in (world / "run" / "checkpoints").iterdir())
    assert names == ["best-00000004.pt", "best-00000006.pt", "step-00000004.pt", "step-00000006.pt"]
    (world / "run" / "checkpoints" / "step-00000006.pt").unlink()  # as a damaged one's message says
    ended = train(run, finish=True)
    assert ended.best is not None
    assert ended.best["step"] == 4


def test_a_checkpoint_of_another_version_and_a_cut_recipe_are_told(world: Path, recipe: Make) -> None:
    train(recipe("steps=2"))
    file = world / "run" / "checkpoints" / "step-00000002.pt"
    torch.save({**torch.load(file), "format": 1}, file)
    with pytest.raises(seesay.errors.ModelError, match="was written by another version of SeeSay"):
        train(recipe("steps=4"), resume=True)
    (world / "run" / "recipe.json").write_text('{"name": ')
    with pytest.raises(InputError, match=r"recipe.json cannot be read"):
        train(recipe("steps=4"), resume=True)


def test_no_step_in_all_epochs_is_told(recipe: Make) -> None:
    with pytest.raises(InputError, match="are no step of 16"):
        set_up(replace(recipe(), steps=None, epochs=0.01))


def test_a_batch_larger_than_a_pass_is_told(recipe: Make) -> None:
    observer = Notes()
    set_up(recipe("data.batch=96"), observer=observer)
    assert observer.notes == ["data.batch is 96, a pass has 80 samples: every batch holds some twice"]


def test_threads_are_set(recipe: Make) -> None:
    before = torch.get_num_threads()
    try:
        set_up(recipe(f"threads={before + 1}"))
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


def test_a_damaged_checkpoint_is_named_in_one_line(world: Path, recipe: Make) -> None:
    train(recipe("steps=4"))
    file = world / "run" / "checkpoints" / "step-00000004.pt"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(seesay.errors.ModelError) as error:
        train(recipe("steps=8"), resume=True)
    assert "step-00000004.pt is damaged; remove it to go on from the checkpoint before" in str(error.value)
    assert "\n" not in str(error.value)


def test_no_weight_decay_on_norms_biases_and_the_temperature(recipe: Make) -> None:
    parts = set_up(recipe())
    names = {id(parameter): name for name, parameter in parts.clip.named_parameters()}
    plain = {names[id(p)] for group in parts.optimizer.param_groups if not group["weight_decay"] for p in group["params"]}
    assert "logit_scale" in plain
    assert {name for name in names.values() if "norm" in name or name.endswith("bias")} <= plain
    assert "image.blocks.0.attention.query.weight" not in plain


def test_the_scale_of_cosines_stays_below_its_bound(world: Path, recipe: Make, records: Records) -> None:
    train(recipe("steps=5", "loss.max_scale=5", towers=STARTED))  # which begins above
    temperatures = [record["temperature"] for record in records(world / "run") if "temperature" in record]
    assert temperatures[0] == pytest.approx(1 / 5)
    assert min(temperatures) >= 1 / 5 - 1e-6


@pytest.mark.parametrize(
    ("sets", "towers", "message"),
    [
        ((), TOWERS.replace("dim = 24", ""), "model.dim: missing"),
        ((), TOWERS.replace("49408", "100"), "tokenizer has 49408 pieces, the tower takes 100"),
        (("model.text.tokenizer=absent",), TOWERS, "no model 'absent'"),
        (("device=gpu",), TOWERS, "device: expected one that torch has here, such as 'cpu', got 'gpu'"),
        (
            ("data.batch=80", "data.parts=1", "model.image.unlocked_groups=9"),
            TOWERS,
            "model.image.unlocked_groups: expected at most 4",
        ),
        (("loss.class_weight=1.0", "data.sources.0.label_column=lang"), TOWERS, "labels of at least two classes"),
        (
            (),
            '[model]\nstart = "bundled"\n[model.image]\nunlocked_groups = 0\n[model.text]\nunlocked_groups = 0\n',
            "nothing is left to learn",
        ),
        ((), '[model]\nstart = "bundled"\ndim = 8\n', 'model.image.projection = "linear"'),
        ((), '[model]\ndim = 8\n[model.image]\narchitecture = "ViT-B-23"\n[model.text]\nstart = "bundled"\n', "near: ViT-B-32"),
        ((), "[model]\n", "(?s)model.image: say where it comes from.*model.text: say where.*model.dim: missing"),
        ((), '[model]\ndim = 8\n[model.image]\narchitecture = "ViT-B-23"\n', "(?s)near: ViT-B-32.*model.text: say where"),
        (
            (),
            '[model]\ndim = 8\nstart = "bundled"\n[model.text]\narchitecture = "roberta-ViT-B-32"\n',
            "comes without a vocabulary",
        ),
    ],
)
def test_recipes_that_cannot_run_say_why(recipe: Make, sets: tuple[str, ...], towers: str, message: str) -> None:
    with pytest.raises((InputError, seesay.errors.ModelError), match=message):
        set_up(recipe(*sets, towers=towers))


def test_checkpoints_are_the_last_few_and_the_best(world: Path, recipe: Make) -> None:
    train(recipe("steps=10", "checkpoints.every=2", "checkpoints.keep=2", more=VALIDATION.replace("20", "5")))
    files = sorted(file.name for file in (world / "run" / "checkpoints").iterdir())
    assert files[-2:] == ["step-00000008.pt", "step-00000010.pt"]
    assert {"best-00000005.pt"} <= set(files[:-2]) <= {"best-00000005.pt", "best-00000010.pt"}  # step 8 speaks of 5
    assert json.loads((world / "run" / "recipe.json").read_text())["steps"] == 10


def test_the_keys_of_a_checkpoint_stay_so_that_earlier_runs_resume(world: Path, recipe: Make) -> None:
    train(recipe("steps=2", "optimizer.ema=0.9", "loss.class_weight=0.1", more=VALIDATION.replace("20", "1")))
    state = CheckpointFolder(world / "run" / "checkpoints", 2).last()
    assert state is not None
    top = "format step position weights objective optimizer scaler ema random validation validated best stale"
    assert list(state) == [*top.split(), "searches", "unread", "left_out"]
    assert list(state["objective"]) == ["classifier.weight", "classifier.bias"]
    assert list(state["ema"]) == ["steps", "values"]
    assert list(state["searches"][0]) == ["text", "right", "found"]
    assert list(state["unread"]) == list(state["left_out"]) == ["reasons", "examples"]


def test_two_processes_do_not_train_into_one_folder(world: Path, recipe: Make) -> None:
    from filelock import FileLock

    (world / "run").mkdir()
    with FileLock(world / "run" / ".lock"), pytest.raises(InputError, match="another process is training into run"):
        train(recipe("steps=2"))


def test_a_disk_that_takes_no_checkpoint_is_told(world: Path, recipe: Make) -> None:
    (world / "run").mkdir()
    (world / "run" / "checkpoints").write_text("in the way")
    with pytest.raises(TrainingError, match="cannot write run/checkpoints"):
        train(recipe("steps=2"))


def test_shards_train_too_and_their_faults_are_told(world: Path, recipe: Make) -> None:
    import io
    import tarfile

    files = sorted((world / "images").glob("train-*.png"))
    with tarfile.open(world / "a.tar", "w") as tar:
        for number, file in enumerate(files):
            for suffix, content in (("png", file.read_bytes()), ("txt", file.stem.replace("-", " ").encode())):
                if number == 3 and suffix == "txt":
                    continue
                about = tarfile.TarInfo(f"{number:04d}.{suffix}")
                about.size = len(content)
                tar.addfile(about, io.BytesIO(content))
    sources = 'data.sources=[{kind = "webdataset", shards = ["a.tar"]}]'
    result = train(recipe("steps=8", sources))
    assert result.model is not None
    assert result.skipped.reasons.total() >= 1
    assert all(name.endswith("a.tar, 0003") for name in result.skipped.examples)


def test_a_class_table_gives_texts_from_templates(world: Path, recipe: Make) -> None:
    source = 'data.sources=[{kind = "labels", path = "captions.tsv", split = "train", templates = ["a {} here"]}]'
    (world / "twice.tsv").write_text("image\tlabel\na.png\tx\na.png\ty\n")
    twice = recipe(source.replace("captions", "twice").replace('split = "train", ', ""))
    with pytest.raises(InputError, match="has the labels 'x' and 'y'"):
        set_up(twice)
    parts = set_up(recipe(source))
    texts = {sample.text for sample in parts.source.once()}  # type: ignore[union-attr]
    assert texts == {"a square here", "a stripes here"}
