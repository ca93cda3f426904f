"""Distillation from a teacher's vectors in files of `seesay embed`, and the layers and losses that a student learns by."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import torch.nn.functional as F
from click.testing import CliRunner
from torch import Tensor

from seesay.cli.embed import embed
from seesay.errors import InputError
from seesay.system.files import write_npz
from seesay.training.data import embedding_files
from seesay.training.data.embedding_files import embedding_blocks
from seesay.training.data.samples import Sample
from seesay.training.data.teacher_vectors import store_vectors
from seesay.training.distillation import DistillationObjective
from seesay.training.losses import embedding_distillation, interactive_distillation
from seesay.training.losses.registry import ScaledPairs
from seesay.training.recipe import Distillation
from seesay.training.setup import set_up
from seesay.training.step import TrainingStep
from seesay.training.trainer import train
from tests.training.conftest import Make
from tests.training.test_shards import tar
from tests.training.test_trainer import Notes, Stop, weights_of

Records = Callable[[Path], list[dict[str, Any]]]
FILES = "loss.distillation.embeddings"


def vectors_of(count: int, dim: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)


def write(file: Path, rows: list[tuple[str | None, str | None]], vectors: np.ndarray, space: str = "one") -> Path:
    """A file as `seesay embed` writes it, of (path, text) and vectors."""
    match file.suffix:
        case ".npz":
            path, text = (np.array([value or "" for value in column], dtype=np.str_) for column in zip(*rows, strict=True))
            write_npz(file, {"vectors": vectors, "path": path, "text": text, "space_id": np.array(space)})
        case ".jsonl":
            lines = [
                json.dumps({"path": path, "text": text, "space_id": space, "vector": vector.tolist()})
                for (path, text), vector in zip(rows, vectors, strict=True)
            ]
            file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        case _:
            flat = pa.array(vectors.reshape(-1), type=pa.float32())
            table = pa.table(
                {
                    "path": pa.array([path for path, _ in rows], type=pa.string()),
                    "text": pa.array([text for _, text in rows], type=pa.string()),
                    "vector": pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]),
                }
            )
            pq.write_table(table.replace_schema_metadata({"space_id": space}), file)
    return file


def rows_of_world(world: Path) -> list[tuple[str | None, str | None]]:
    """A row for every training picture and every English caption of the world."""
    lines = [line.split("\t") for line in (world / "captions.tsv").read_text(encoding="utf-8").splitlines()[1:]]
    captions = dict.fromkeys(text for _, _, lang, text, _ in lines if lang == "en")
    return [
        *((f"images/{name}", None) for name in dict.fromkeys(name for name, split, *_ in lines if split == "train")),
        *(("captions.tsv", text) for text in captions),
    ]


@pytest.fixture
def teacher(world: Path) -> Path:
    """The vectors of a teacher of 12 dimensions, in which pictures and their captions are near each other."""
    rows = rows_of_world(world)
    meaning = {f"{colour} {shape}": i for i, (colour, shape) in enumerate({_meaning(row) for row in rows})}
    directions = vectors_of(len(meaning), 12)
    vectors = np.stack([directions[meaning[" ".join(_meaning(row))]] for row in rows]) + 0.1 * vectors_of(len(rows), 12, 1)
    return write(world / "teacher.parquet", rows, vectors)


def _meaning(row: tuple[str | None, str | None]) -> tuple[str, str]:
    path, text = row
    words = text.split() if text else str(path).rpartition("/")[2].split("-")
    return words[1], words[2]


# The files.


@pytest.mark.parametrize("suffix", [".npz", ".jsonl", ".parquet"])
def test_every_format_gives_the_same_rows_in_blocks(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding_files, "BLOCK", 3)
    rows: list[tuple[str | None, str | None]] = [("a/1.jpg", None), ("t.txt", "一只猫"), (None, "a cat"), ("b.png", None)] * 2
    vectors = vectors_of(len(rows), 5)
    blocks = list(embedding_blocks(write(tmp_path / f"v{suffix}", rows, vectors)))
    assert [len(block.vectors) for block in blocks] == [3, 3, 2]
    np.testing.assert_array_equal(np.concatenate([block.vectors for block in blocks]), vectors)
    assert [path or None for block in blocks for path in block.paths] == [path for path, _ in rows]
    assert [text or None for block in blocks for text in block.texts] == [text for _, text in rows]
    assert {block.space for block in blocks} == {"one"}


@pytest.mark.parametrize("suffix", [".npz", ".jsonl", ".parquet"])
def test_what_seesay_embed_writes_is_found_by_picture_and_text(world: Path, suffix: str) -> None:
    out = world / f"teacher{suffix}"
    picture = "images/train-red-square-0.png"
    run = CliRunner().invoke(embed, [picture, "--text", " a red square ", "-o", str(out)])
    assert "wrote 2 vectors of 512 dimensions" in run.output
    stored = store_vectors([out], None, world / "stored")
    assert stored.dim == 512
    of_picture, of_text = stored.row_of_picture(str(world / picture)), stored.row_of_text("a red square")
    assert of_picture is not None
    assert of_text is not None
    expected = np.concatenate([block.vectors for block in embedding_blocks(out)])
    for row, vector in ((of_text, expected[1 - of_picture]), (of_picture, expected[of_picture])):
        assert stored[row] @ vector == pytest.approx(1, abs=1e-4)


def test_a_damaged_file_is_an_input_error(tmp_path: Path) -> None:
    good = write(tmp_path / "v.npz", [("a.jpg", None)] * 9, vectors_of(9, 5))
    cut = tmp_path / "cut.npz"
    cut.write_bytes(good.read_bytes()[:300])
    (tmp_path / "none.npz").write_bytes(b"")
    (tmp_path / "text.parquet").write_text("hello")
    (tmp_path / "list.jsonl").write_text("[1]\n")
    uneven = [json.dumps({"text": "a", "vector": [1.0] * size}) for size in (2, 3)]
    (tmp_path / "uneven.jsonl").write_text("\n".join(uneven))
    np.savez(tmp_path / "names.npz", vectors=vectors_of(2, 2))
    np.savez(tmp_path / "objects.npz", vectors=vectors_of(1, 2), path=np.array([{}], dtype=object), text=np.array(["a"]))
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "columns.parquet")
    damaged = [file for file in sorted(tmp_path.iterdir()) if file != good]
    assert len(damaged) == 8
    for file in damaged:
        with pytest.raises(InputError, match=f"{file.name} cannot be read .*expected the columns path, text and vector"):
            list(embedding_blocks(file))


# Pictures by their paths.


def found(stored: Path, rows: list[str], place: str, root: str | None = None) -> int | None:
    file = write(stored.with_suffix(".npz"), [(row, None) for row in rows], vectors_of(len(rows), 4))
    return store_vectors([file], root, stored).row_of_picture(place)


@pytest.mark.parametrize(
    ("row", "place", "root", "right"),
    [
        ("/photos/a/1.jpg", "/photos/a/1.jpg", None, True),
        ("/elsewhere/a/1.jpg", "/photos/a/1.jpg", None, False),
        ("/elsewhere/a/1.jpg", "/photos/a/1.jpg", "/elsewhere", True),
        ("/elsewhere/a/1.jpg", "/photos/a/1.jpg", "/else", False),
        ("a/1.jpg", "/photos/a/1.jpg", None, True),
        ("./a/1.jpg", "/photos/a/1.jpg", None, True),
        ("../photos/a/1.jpg", "/photos/a/1.jpg", None, True),
        ("b/1.jpg", "/photos/a/1.jpg", None, False),
        ("hotos/a/1.jpg", "/photos/a/1.jpg", None, False),
        ("https://a.example/1.jpg", "https://a.example/1.jpg", None, True),
        ("1.jpg", "https://a.example/1.jpg", None, False),
        ("shards/0.tar/a.b.jpg", "/data/shards/0.tar/a", None, True),
        ("shards/0.tar/a.jpg", "/data/shards/1.tar/a", None, False),
    ],
)
def test_a_row_is_a_pictures_where_its_whole_path_ends_the_pictures(
    tmp_path: Path, row: str, place: str, root: str | None, right: bool
) -> None:
    assert found(tmp_path / "stored", ["other.jpg", row], place, root) == (1 if right else None)


def test_the_longest_end_wins_and_the_first_of_two_rows_with_one_name(tmp_path: Path) -> None:
    rows = ["1.jpg", "cats/1.jpg", "dogs/1.jpg", "cats/1.jpg"]
    assert found(tmp_path / "stored", rows, "/photos/cats/1.jpg") == 1


def test_a_name_that_is_not_utf8_is_found_in_parquet(tmp_path: Path) -> None:
    escaped = "a\\udcff.jpg"  # as Parquet gets it
    assert found(tmp_path / "stored", [escaped], "/photos/a\udcff.jpg") == 0


def test_vectors_are_stored_once_and_again_when_a_file_changes(tmp_path: Path) -> None:
    file, folder = write(tmp_path / "v.parquet", [("a.jpg", None)], vectors_of(1, 4)), tmp_path / "stored"
    store_vectors([file], None, folder)
    before = (folder / "vectors.f16").stat()
    store_vectors([file], None, folder)
    assert (folder / "vectors.f16").stat().st_mtime_ns == before.st_mtime_ns
    write(file, [("a.jpg", None)] * 2, vectors_of(2, 4, 1))
    stored = store_vectors([file], None, folder)
    assert (folder / "vectors.f16").stat().st_size == 2 * 4 * 2
    np.testing.assert_allclose(stored[1], F.normalize(torch.from_numpy(vectors_of(2, 4, 1)), dim=1)[1], atol=1e-3)


def test_a_store_that_was_killed_halfway_is_made_anew(tmp_path: Path) -> None:
    file, folder = write(tmp_path / "v.parquet", [("a.jpg", None)], vectors_of(1, 4)), tmp_path / "stored"
    (tmp_path / "stored.part").mkdir()
    (tmp_path / "stored.part" / "vectors.f16").write_bytes(b"half")
    folder.mkdir()
    (folder / "about.json").write_text("{}")
    assert store_vectors([file], None, folder).row_of_picture("/a.jpg") == 0


def test_files_of_two_teachers_or_with_vectors_of_no_length_are_refused(tmp_path: Path) -> None:
    one = write(tmp_path / "one.npz", [("a.jpg", None)], vectors_of(1, 4))
    other = write(tmp_path / "other.npz", [("b.jpg", None)], vectors_of(1, 4), space="two")
    wide = write(tmp_path / "wide.npz", [("b.jpg", None)], vectors_of(1, 6))
    for second, words in ((other, "4 of two"), (wide, "6 of one")):
        with pytest.raises(InputError, match=f"vectors of one teacher.*one.npz has 4 dimensions of the space one, .*{words}"):
            store_vectors([one, second], None, tmp_path / "stored")
    zero = write(tmp_path / "zero.npz", [("a.jpg", None)] * 2, np.zeros((2, 4), np.float32))
    with pytest.raises(InputError, match="zero.npz has vectors of no length"):
        store_vectors([zero], None, tmp_path / "stored")


def test_the_pictures_of_a_tar_are_found_by_their_shard(world: Path, recipe: Make) -> None:
    files: dict[str, bytes | str] = {}
    for name in ("train-red-square-0", "train-blue-stripes-1"):
        files |= {f"{name}.png": (world / "images" / f"{name}.png").read_bytes(), f"{name}.txt": b"a thing"}
    tar(world / "0.tar", files)
    rows: list[tuple[str | None, str | None]] = [("0.tar/train-red-square-0.png", None), (None, "a thing")]
    write(world / "teacher.npz", rows, vectors_of(2, 24))
    shards = "data.sources.0={kind='webdataset',shards=['0.tar']}"
    parts = set_up(recipe(f"{FILES}=['teacher.npz']", shards, "data.batch=2"))
    step = TrainingStep(parts)
    red, blue = sorted((s for s in parts.source.once() if isinstance(s, Sample)), key=lambda s: s.name, reverse=True)
    prepared = step.prepare(red, np.random.default_rng(0))
    assert prepared.teacher_image is not None
    expected = F.normalize(torch.from_numpy(vectors_of(2, 24)), dim=1)[0]
    np.testing.assert_allclose(prepared.teacher_image, expected, atol=1e-3)
    with pytest.raises(InputError, match="has no vector of the teacher for its picture"):
        step.prepare(blue, np.random.default_rng(0))


# Whole runs.


def test_a_student_of_another_dimension_learns_from_files_alone(
    world: Path, recipe: Make, teacher: Path, records: Records
) -> None:
    sets = ("loss.contrast_weight=0", "loss.distillation.weights={similarity=1,embedding=2,interactive=1}")
    parts = set_up(recipe(f"{FILES}=['teacher.parquet']", *sets, "out=unused"))
    shapes = {name: tuple(parameter.shape) for name, parameter in parts.objective.named_parameters()}
    assert shapes["distillation.image_layer.weight"] == shapes["distillation.text_layer.weight"] == (12, 24)
    assert parts.teacher is not None
    assert parts.teacher.scale == 100
    result = train(recipe(f"{FILES}=['teacher.parquet']", *sets, "threads=1"))
    log = records(world / "run")
    assert "contrast_loss" not in log[0]
    for name in ("similarity_loss", "embedding_loss", "interactive_loss"):
        assert log[-1][name] < 0.9 * log[0][name]
    assert result.model is not None


def test_a_resumed_distillation_is_bit_equal(world: Path, recipe: Make, teacher: Path) -> None:
    sets = (
        f"{FILES}=['teach*.parquet']",
        "loss.distillation.kind=embedding",
        "steps=6",
        "threads=1",
        "loss.distillation.scale=20",
    )
    train(recipe(*sets, "out=whole"))
    assert train(recipe(*sets, "out=parts"), observer=Stop(3)).model is None
    train(recipe(*sets, "out=parts"), resume=True)
    whole, parts = weights_of(world / "whole"), weights_of(world / "parts")
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_an_augmented_picture_keeps_the_plain_ones_vector(world: Path, recipe: Make, teacher: Path) -> None:
    parts = set_up(recipe(f"{FILES}=['teacher.parquet']", "data.augment.crop_scale=[0.3,0.5]"))
    sample = next(parts.source.once())
    assert isinstance(sample, Sample)
    step = TrainingStep(parts)
    one, other = (step.prepare(sample, np.random.default_rng(seed)) for seed in (0, 1))
    assert not np.array_equal(one.image, other.image)
    assert one.teacher_image is not None
    assert other.teacher_image is not None
    np.testing.assert_array_equal(one.teacher_image, other.teacher_image)


def test_samples_without_a_vector_are_counted_and_named(world: Path, recipe: Make) -> None:
    rows = [row for row in rows_of_world(world) if row[1] != "a red square" and not str(row[0]).endswith("-4.png")]
    write(world / "teacher.npz", rows, vectors_of(len(rows), 24))
    with pytest.raises(InputError) as refusal:
        set_up(recipe(f"{FILES}=['teacher.npz']"))
    message = str(refusal.value)
    assert "of 80 samples 16 have no vector of their picture and 5 none of their text in teacher.npz, such as " in message
    assert "'a red square'" in message
    assert message.count("-4.png") == 3
    assert "images/train-red-square-0.png" in message  # what the paths in the file look like
    assert 'missing = "skip"' in message


def test_samples_without_a_vector_can_be_skipped(world: Path, recipe: Make) -> None:
    rows = [row for row in rows_of_world(world) if row[1] != "a red square" and not str(row[0]).endswith("-4.png")]
    write(world / "teacher.npz", rows, vectors_of(len(rows), 24))
    notes = Notes()
    result = train(recipe(f"{FILES}=['teacher.npz']", "loss.distillation.missing=skip", "steps=8"), observer=notes)
    assert any("of 80 samples 16 have no vector of the teacher for their picture and 5 none" in note for note in notes.notes)
    reasons = {f"has no vector of the teacher for its {what}" for what in ("picture", "text")}
    assert set(result.skipped.reasons) == reasons
    assert sum(result.skipped.reasons.values()) >= 16 + 4  # a pass at least; some lack both


def test_a_path_that_ends_two_pictures_is_refused(world: Path, recipe: Make) -> None:
    (world / "images" / "more").mkdir()
    table = (world / "captions.tsv").read_text(encoding="utf-8")
    name = "train-red-square-0.png"
    (world / "captions.tsv").write_text(f"{table}more/{name}\ttrain\ten\ta red square\tsquare\n", encoding="utf-8")
    rows = [(str(path).rpartition("/")[2], text) for path, text in rows_of_world(world)]
    write(world / "teacher.npz", [(path, text) for path, text in rows], vectors_of(len(rows), 24))
    with pytest.raises(InputError, match=f"is the end of both .*images/{name} and .*images/more/{name}"):
        set_up(recipe(f"{FILES}=['teacher.npz']"))


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        (["kind=embedding"], "expected a teacher .a model. or embeddings .files of seesay embed., got neither"),
        (["teacher=bundled", "embeddings=['a.npz']"], "got both"),
        (["embeddings=['absent.npz']"], "embeddings: expected a file .*absent.npz, there is none"),
        (["embeddings=['part-*.npz']"], r"expected a file .*part-\*.npz, there is none"),
        (["embeddings=['captions.tsv']"], "expected files that end in .npz, .jsonl, .parquet, got captions.tsv"),
        (["teacher=bundled", "weights.other=1"], "expected weights of one of 'similarity', .*, got 'other'"),
        (["teacher=bundled", "weights.similarity=0"], "weights.similarity: expected above 0, got 0"),
    ],
)
def test_a_distillation_that_cannot_be_is_refused(world: Path, recipe: Make, sets: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        set_up(recipe(*(f"loss.distillation.{setting}" for setting in sets)))


def test_nothing_to_learn_from_is_refused(recipe: Make) -> None:
    with pytest.raises(InputError, match="expected distillation or a class_weight with the contrast_weight 0"):
        recipe("loss.contrast_weight=0")


def test_the_vectors_of_a_tower_that_is_locked_whole_are_computed_once(world: Path, recipe: Make) -> None:
    towers = '[model]\nstart = "bundled"\n[model.image]\nunlocked_groups = 0\n[model.text]\nunlocked_groups = 0\n'
    parts = set_up(recipe("data.sources.0.label_column=label", "loss.class_weight=1", towers=towers))
    parts.clip.eval()
    picture, text = str(world / "images" / "train-red-square-0.png"), "a red square"
    with torch.inference_mode():
        plain = [parts.images.embed([parts.images.prepare(picture, None)]), parts.texts.embed([text])]
    parts.images.freeze([picture], world / "images.npz", lambda done: None)
    parts.texts.freeze({text}, world / "texts.npz", lambda done: None)
    value = parts.images.prepare(picture, None)
    assert value.shape == (512,)
    assert parts.texts.frozen is not None
    assert parts.texts.frozen.values.shape == (1, 512)
    for tensor, expected in zip((parts.images.embed([value]), parts.texts.embed([text])), plain, strict=True):
        assert float(F.cosine_similarity(tensor, expected)) > 0.9999
        torch.testing.assert_close(tensor, expected, rtol=0.02, atol=0.02)


# The losses, against slow references in numpy.


def slow_cross_entropy(students: np.ndarray, teachers: np.ndarray, scale: float) -> float:
    total = 0.0
    for i, student in enumerate(students):
        logits = [scale * float(student @ teacher) for teacher in teachers]
        highest = max(logits)
        total += highest + float(np.log(sum(np.exp(logit - highest) for logit in logits))) - logits[i]
    return total / len(students)


def unit(count: int, dim: int, seed: int) -> Tensor:
    return F.normalize(torch.from_numpy(vectors_of(count, dim, seed)).double(), dim=1)


@pytest.mark.parametrize("tile", [3, 100])
@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_interactive_distillation_is_the_plain_formula(tile: int, scale: float) -> None:
    images, texts, teacher_images, teacher_texts = (unit(7, 5, seed) for seed in range(4))
    factor = torch.tensor(scale, dtype=torch.float64)
    loss = interactive_distillation(images, texts, factor, teacher_images, teacher_texts, tile=tile)
    slow = [
        slow_cross_entropy(students.numpy(), teachers.numpy(), scale)
        for students, teachers in ((images, teacher_texts), (texts, teacher_images))
    ]
    assert float(loss) == pytest.approx(sum(slow) / 2, rel=1e-12)


def test_interactive_distillation_passes_gradcheck_and_gives_the_teacher_none() -> None:
    images, texts, teacher_images, teacher_texts = (unit(5, 4, seed).requires_grad_() for seed in range(4))
    scale = torch.tensor(10.0, dtype=torch.float64, requires_grad=True)
    torch.autograd.gradcheck(
        lambda images, texts, scale: interactive_distillation(images, texts, scale, teacher_images, teacher_texts, tile=2),
        [images, texts, scale],
    )
    interactive_distillation(images, texts, scale, teacher_images, teacher_texts).backward()  # type: ignore[no-untyped-call]
    assert images.grad is not None
    assert teacher_images.grad is None
    with pytest.raises(InputError, match=r"matrices of the same shape.*teacher_texts \(5, 3\)"):
        interactive_distillation(images, texts, scale, teacher_images, unit(5, 3, 0))


def test_embedding_distillation_is_the_squared_error_of_unit_vectors() -> None:
    student, teacher = vectors_of(6, 5), vectors_of(6, 5, 1)
    ends = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (student, teacher)]
    squared = np.mean([sum((a - b) ** 2 for a, b in zip(*pair, strict=True)) for pair in zip(*ends, strict=True)])
    loss = embedding_distillation(torch.from_numpy(student), torch.from_numpy(teacher))
    assert float(loss) == pytest.approx(float(squared) / 2, rel=1e-5)


def test_layers_lead_into_the_teachers_space_only_where_a_loss_needs_it() -> None:
    student = ScaledPairs(unit(6, 5, 0).float(), unit(6, 5, 1).float(), torch.tensor(10.0))
    images, texts = unit(6, 3, 2).float(), unit(6, 3, 3).float()
    plain = DistillationObjective(Distillation(teacher="x"), 5, 3, 20.0)
    assert not list(plain.parameters())
    led = DistillationObjective(Distillation(teacher="x", weights={"embedding": 2.0, "similarity": 0.5}), 5, 3, 20.0)
    total, terms = led(student, images, texts)
    _, (similarity,) = plain(student, images, texts)[0], plain(student, images, texts)[1].values()
    assert led.image_layer is not None
    assert led.text_layer is not None
    expected = [
        1 - F.cosine_similarity(layer(vectors), target, dim=1).mean()
        for layer, vectors, target in ((led.image_layer, student.images, images), (led.text_layer, student.texts, texts))
    ]
    torch.testing.assert_close(terms["embedding"], sum(expected) / 2)
    torch.testing.assert_close(terms["similarity"], similarity)
    torch.testing.assert_close(total, 2 * terms["embedding"] + 0.5 * terms["similarity"])
