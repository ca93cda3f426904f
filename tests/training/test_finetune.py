"""Fine-tuning from a table: the parts of the table, the recipe that it becomes, and the comparison at the end."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import seesay
from seesay.errors import InputError
from seesay.evaluation.datasets import read_labels
from seesay.evaluation.head import read_head
from seesay.system.tables import read_table
from seesay.training.finetune.comparison import Score
from seesay.training.finetune.defaults import Start, recipe_of
from seesay.training.finetune.finetune import fine_tune
from seesay.training.finetune.settings import FineTuning
from seesay.training.finetune.tables import prepare_tables
from seesay.training.run.observer import Observer
from seesay.training.trainer import train
from tests.training.conftest import Make
from tests.training.test_finetuning_parts import WITH_ATTENTION, base, state_of

__all__ = ["base"]  # a fixture


@pytest.fixture
def table(world: Path) -> Path:
    """labels.tsv: the pictures of the world's train part by colour, eight classes of ten."""
    rows = ["path\tlabel"]
    rows += [f"{file.name}\t{file.name.split('-')[1]}" for file in sorted((world / "images").glob("train-*"))]
    (world / "labels.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return world / "labels.tsv"


def settings(table: Path, **changes: object) -> FineTuning:
    values = {"model": "base/model", "data": table, "out": Path("out"), "threads": 1, "batch": 16, **changes}
    return FineTuning(**values)  # type: ignore[arg-type]


def test_a_fifth_of_each_class_is_held_out(table: Path) -> None:
    tables = prepare_tables(settings(table))
    assert (tables.kind, tables.train_pictures, tables.val_pictures) == ("labels", 64, 16)
    val = read_labels(tables.val, names=tables.names)
    assert np.bincount(val.labels).tolist() == [2] * 8
    images = [{row["image"] for row in read_table(file)} for file in (tables.train, tables.val)]
    assert not images[0] & images[1]
    assert all(Path(image).is_file() for image in images[0] | images[1])
    assert tables.notes == ("no validation was named, so a fifth of each class is held out: 16 of 80 pictures",)
    again = prepare_tables(settings(table))
    assert again == tables
    other = prepare_tables(settings(table, seed=1, out=Path("other")))
    assert {row["image"] for row in read_table(other.val)} != images[1]


def test_a_folder_with_one_for_each_label_is_a_table(table: Path, world: Path) -> None:
    for row in read_table(table):
        label = row["label"].replace("red", "dark_red")
        (world / "sorted" / label / "deep").mkdir(parents=True, exist_ok=True)
        (world / "images" / row["path"]).rename(world / "sorted" / label / "deep" / row["path"])
    (world / "sorted" / "red.txt").write_text("no picture")
    tables = prepare_tables(settings(world / "sorted"))
    assert (tables.kind, tables.train_pictures, tables.val_pictures) == ("labels", 64, 16)
    assert "dark red" in (tables.names or Path()).read_text(encoding="utf-8").splitlines()
    with pytest.raises(InputError, match="images: expected one subfolder of pictures per class, got none"):
        prepare_tables(settings(world / "images", out=Path("other")))
    (world / "hollow" / "red").mkdir(parents=True)
    with pytest.raises(InputError, match="hollow: expected pictures in its subfolders, got none in 1"):
        prepare_tables(settings(world / "hollow", out=Path("third")))


def test_labels_that_are_numbers_are_noted(table: Path, world: Path) -> None:
    numbers = {colour: str(number) for number, colour in enumerate(sorted({row["label"] for row in read_table(table)}))}
    lines = ["path\tlabel", *(f"{row['path']}\t{numbers[row['label']]}" for row in read_table(table))]
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert "--names gives them names" in prepare_tables(settings(table)).notes[-1]
    (world / "names.txt").write_text("\n".join(sorted(numbers)) + "\n", encoding="utf-8")
    named = prepare_tables(settings(table, names=world / "names.txt", out=Path("named")))
    assert not any("--names" in note for note in named.notes)


def test_a_class_with_one_picture_keeps_it(table: Path) -> None:
    lines = table.read_text(encoding="utf-8").splitlines()
    kept = [
        lines[0],
        *(line for line in lines[1:] if not line.endswith("\tred")),
        next(x for x in lines if x.endswith("\tred")),
    ]
    table.write_text("\n".join(kept) + "\n", encoding="utf-8")
    tables = prepare_tables(settings(table))
    train = [row["label"] for row in read_table(tables.train)]
    assert train.count("red") == 1
    assert "red" not in [row["label"] for row in read_table(tables.val)]
    assert "red" in (tables.names or Path()).read_text(encoding="utf-8").splitlines()


def test_a_split_of_the_table_or_a_second_table_is_taken(table: Path, world: Path) -> None:
    by_column = prepare_tables(FineTuning(data=world / "captions.tsv", out=Path("a")))
    assert (by_column.train_pictures, by_column.val_pictures, by_column.notes) == (80, 16, ())
    by_table = prepare_tables(FineTuning(data=table, val=world / "captions.tsv", out=Path("b")))
    assert (by_table.train_pictures, by_table.val_pictures) == (80, 16)
    assert "stripes" in (by_table.names or Path()).read_text(encoding="utf-8")


def test_captions_are_held_out_by_picture(world: Path) -> None:
    rows = read_table(world / "captions.tsv")
    lines = ["image\ttext", *(f"{row['image']}\t{row['text']}" for row in rows)]
    (world / "pairs.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    tables = prepare_tables(FineTuning(data=world / "pairs.tsv", out=Path("out")))
    assert (tables.kind, tables.train_pictures, tables.val_pictures) == ("captions", 77, 19)
    assert len(read_table(tables.train)) == 2 * 77  # both captions of a picture are on one side


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\tlabel\nx\ty\n", "expected a column image, got a, label"),
        ("path\tb\nx\ty\n", "expected a column label, text or caption, got image, b"),
        ("path\tlabel\nx\t\n", "row 1: expected a label, got an empty one"),
        (
            "path\tlabel\nx.png\tone\ny.png\tone\n",
            "expected pictures of at least two classes in .*labels.tsv, got those of one",
        ),
    ],
)
def test_bad_tables_are_refused(content: str, message: str, world: Path) -> None:
    (world / "labels.tsv").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        prepare_tables(FineTuning(data=world / "labels.tsv", out=Path("out")))


def test_a_table_that_changed_is_refused_in_its_old_folder(table: Path) -> None:
    prepare_tables(settings(table))
    table.write_text(table.read_text(encoding="utf-8").replace("\tred", "\tcrimson"), encoding="utf-8")
    with pytest.raises(InputError, match="is of other pictures: the table has changed since"):
        prepare_tables(settings(table))


def test_the_recipe_of_each_method(table: Path, base: Path) -> None:
    tables, start = prepare_tables(settings(table)), Start.of(str(base))
    assert start == Start(attention=True, text_attention=True, cached=None)
    lora = recipe_of(settings(table, rank=4), tables, start)
    assert lora.model.image.lora is not None
    assert (lora.model.image.lora.rank, lora.model.image.lora.scale) == (4, 2)
    assert (lora.model.text.lora, lora.model.text.unlocked_groups) == (None, 0)
    assert (lora.loss.candidates, lora.steps, lora.optimizer.warmup) == ("classes", 80, 8)
    assert lora.validation is not None
    assert (lora.validation.at_start, lora.validation.every, lora.validation.patience) == (True, 8, 3)
    full = recipe_of(settings(table, method="full", loss="contrast", epochs=2.0, learning_rate=0.1), tables, start)
    assert (full.model.image.lora, full.model.image.keep_statistics) == (None, True)
    assert (full.loss.candidates, full.steps, full.optimizer.learning_rate) == ("batch", 8, 0.1)
    assert full.optimizer.layer_decay < 1


def test_a_model_with_a_sigmoid_keeps_it(table: Path) -> None:
    tables = prepare_tables(settings(table))
    recipe = recipe_of(settings(table), tables, Start(attention=True, text_attention=True, cached=None, sigmoid=True))
    assert (recipe.loss.kind, recipe.loss.candidates) == ("sigmoid", "batch")
    with pytest.raises(InputError, match="expected the kind infonce with the candidates 'classes', got sigmoid"):
        recipe_of(settings(table, loss="classes"), tables, Start(True, True, None, sigmoid=True))


def test_of_the_bundled_model_the_last_blocks_learn(table: Path) -> None:
    start = Start.of("bundled")
    assert start == Start(attention=False, text_attention=True, cached=6)
    recipe = recipe_of(settings(table, model="bundled"), prepare_tables(settings(table)), start)
    assert recipe.model.image.lora is not None
    assert recipe.model.image.lora.targets == ("pointwise", "projection")
    assert recipe.model.image.unlocked_groups == 6


def test_fine_tuning_leaves_a_model_an_adapter_and_a_page(table: Path, base: Path) -> None:
    outcome = fine_tune(settings(table, epochs=3.0, learning_rate=0.01))
    assert outcome.model == Path("out/model")
    assert outcome.adapter == Path("out/adapter")
    assert outcome.comparison is not None
    score = outcome.comparison.scores[0]
    before, after = seesay.load("base/model"), seesay.load(outcome.model)
    data = read_labels(outcome.tables.val, names=outcome.tables.names)
    templates = ("{}", "a photo of a {}.", "a photo of the {}.", "a close-up photo of a {}.")
    for model, expected in ((before, score.before), (after, score.after)):
        found = model.classify(data.images, data.names, templates).argmax(axis=1)
        assert float(np.mean(found == data.labels)) == pytest.approx(expected)
    assert score.after >= score.before  # the best of the held-out pictures, step 0 among them
    changes = outcome.comparison.changes
    gained = sum(change.improved for change in changes) - sum(not change.improved for change in changes)
    assert gained / len(data.images) == pytest.approx(score.after - score.before)
    page = Path("out/comparison.html").read_text(encoding="utf-8")
    assert "On the pictures held out" in page
    assert "16 held out" in page
    document = json.loads(Path("out/comparison.json").read_text())
    assert document["kept"][0]["name"] == "the same answer for everyday pictures"
    assert seesay.load("out").space_id == after.space_id


def test_a_stopped_fine_tuning_goes_on(table: Path, base: Path) -> None:
    class Stop(Observer):
        def should_stop(self) -> bool:
            return True

    stopped = fine_tune(settings(table, epochs=1.0), observer=Stop())
    assert (stopped.model, stopped.stopped) == (None, (1, 4))
    with pytest.raises(InputError, match="holds a run that has come to step 1. --resume goes on"):
        fine_tune(settings(table, epochs=1.0))
    resumed = fine_tune(settings(table, epochs=1.0), resume=True)
    whole = fine_tune(settings(table, epochs=1.0, out=Path("whole")))
    assert resumed.model is not None
    assert whole.model is not None
    states = state_of(resumed.model), state_of(whole.model)
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def cosines(model: str | Path, images: list[Path]) -> np.ndarray:
    """Of each picture's vectors before and after."""
    return np.asarray((seesay.load("base/model").encode_image(images) * seesay.load(model).encode_image(images)).sum(axis=1))


@pytest.mark.parametrize("method", ["full", "lora"])
def test_at_other_pictures_an_anchored_model_stays_as_it_was(method: str, table: Path, base: Path, world: Path) -> None:
    (world / "photos" / "deep").mkdir(parents=True)
    others = [image.rename(world / "photos" / "deep" / image.name) for image in sorted((world / "images").glob("val-*"))]
    changes = {"method": method, "epochs": 10.0, "learning_rate": 0.003, "patience": 99}
    kept, free = (
        fine_tune(settings(table, out=Path(name), others=world / "photos", anchor=anchor, **changes)).model
        for name, anchor in (("kept", 30.0), ("free", 0.0))
    )
    assert kept is not None
    assert free is not None
    assert cosines(kept, others).mean() > cosines(free, others).mean()
    assert cosines(kept, others).mean() > 0.9
    anchors = np.load("kept/data/anchors.npz")
    paths = anchors["path"].tolist()
    assert {path for path in paths if "photos" in path} == {str(other) for other in others}
    assert len(paths) == 64 + 4 * 16  # repeated, so that there are as many of them as of those that train
    before = seesay.load("base/model").encode_image(paths[:3])
    assert np.abs(before - anchors["vectors"][:3]).max() <= 1e-5
    assert not Path("free/data/anchors.npz").exists()


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_model_with_a_sigmoid_is_anchored_too(method: str, table: Path, recipe: Make) -> None:
    start = train(recipe("steps=3", "out=start", "loss.kind=sigmoid", towers=WITH_ATTENTION)).model
    outcome = fine_tune(settings(table, model=str(start), method=method, epochs=3.0, learning_rate=0.01))
    assert start is not None
    assert outcome.model is not None
    assert (outcome.adapter is not None) == (method == "lora")
    assert seesay.load(outcome.model).config.score == "sigmoid"
    assert outcome.comparison is not None
    assert outcome.comparison.scores[0].after >= outcome.comparison.scores[0].before
    log = [json.loads(line) for line in Path("out/log.jsonl").read_text().splitlines()]
    assert any(record.get("anchors_loss", 0) > 0 for record in log)


def test_everyday_pictures_anchor_where_there_are_no_others(table: Path, base: Path) -> None:
    fine_tune(settings(table, epochs=1.0))
    paths = np.load("out/data/anchors.npz")["path"].tolist()
    assert len({path for path in paths if "/data/everyday/" in path}) == 72
    recipe = json.loads(Path("out/recipe.json").read_text())
    assert [(anchors["kind"], anchors["weight"], anchors["batch"]) for anchors in recipe["loss"]["anchors"]] == [
        ("pictures", 10.0, 16)
    ]


def test_others_may_be_a_table_or_nothing_at_all(table: Path, base: Path, world: Path) -> None:
    fine_tune(settings(table, epochs=1.0, others=world / "captions.tsv"))
    assert len(set(np.load("out/data/anchors.npz")["path"].tolist())) == 64 + 32  # the rest trains
    (world / "empty").mkdir()
    with pytest.raises(InputError, match="empty: expected a folder or a table of pictures, got none"):
        fine_tune(settings(table, out=Path("second"), others=world / "empty"))
    with pytest.raises(InputError, match=r"absent: expected a table that ends in"):
        fine_tune(settings(table, out=Path("third"), others=world / "absent"))
    with pytest.raises(InputError, match=r"anchors\.npz is of other pictures\. Name another folder"):
        fine_tune(settings(table, epochs=1.0), resume=True)


def test_captions_train_both_towers(world: Path, base: Path) -> None:
    rows = [row for row in read_table(world / "captions.tsv") if row["lang"] == "en"]
    lines = ["image\ttext\tsplit", *(f"{row['image']}\t{row['text']}\t{row['split']}" for row in rows)]
    (world / "pairs.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    outcome = fine_tune(settings(world / "pairs.tsv", epochs=1.0, learning_rate=0.01))
    assert outcome.comparison is not None
    assert [score.name for score in outcome.comparison.scores][:2] == ["text to image R@1", "text to image R@5"]
    adapter = (Path("out/adapter") / "adapter_config.json").read_text()
    assert "text_model.encoder.layers.0.self_attn.q_proj" in adapter or "text.blocks.0.attention.query" in adapter


def test_a_probe_leaves_a_head_and_the_model_as_it_is(table: Path, base: Path) -> None:
    outcome = fine_tune(settings(table, method="probe"))
    assert (outcome.model, outcome.head) == (None, Path("out/head.npz"))
    head, model = read_head(Path("out/head.npz")), seesay.load("base/model")
    data = read_labels(outcome.tables.val, names=outcome.tables.names)
    right = head.probabilities(model.encode_image(data.images)).argmax(axis=1) == data.labels
    assert outcome.comparison is not None
    assert outcome.comparison.scores[0].after == pytest.approx(float(right.mean()))
    assert head.space_id == model.space_id


def test_a_probe_of_captions_is_refused(world: Path, recipe: Make) -> None:
    (world / "pairs.tsv").write_text(
        "image\ttext\ntrain-red-square-0.png\tred\ntrain-red-square-1.png\tblue\n", encoding="utf-8"
    )
    with pytest.raises(InputError, match="a probe learns labels; expected a column label in"):
        fine_tune(settings(world / "pairs.tsv", method="probe"))


def test_a_difference_is_resampled_with_the_same_pictures() -> None:
    random = np.random.default_rng(0)
    before = random.random(400) < 0.5
    score = Score.of("top-1", before, before)
    assert (score.after - score.before, score.difference_bounds) == (0, (0, 0))
    better = before | (random.random(400) < 0.2)
    score = Score.of("top-1", before, better)
    assert 0 < score.difference_bounds[0] < score.after - score.before < score.difference_bounds[1]
    assert score.difference_bounds[1] - score.difference_bounds[0] < score.after_bounds[1] - score.after_bounds[0]
