"""The review of a collection: near hashes against a slow comparison, and every kind of fault in one small collection."""

import io
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from seesay.errors import InputError
from seesay.images.phash import bits, waves
from seesay.training.curation.hash_pairs import groups, near_pairs, packed
from seesay.training.curation.pairs import read_pairs
from seesay.training.curation.review import Spread, caption_key, language, review
from seesay.training.data.samples import Sample
from tests.training.test_shards import tar

NOISE = np.random.default_rng(8)


def scene(number: int, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """A smooth random picture, like a blurred photo."""
    pixels = np.random.default_rng(number).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)


def jpeg(image: Image.Image, quality: int = 90) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return stream.getvalue()


@pytest.mark.parametrize("distance", [0, 1, 4, 6])
def test_near_pairs_are_those_of_comparing_all_with_all(distance: int) -> None:
    draw = random.Random(distance)
    hashes = [draw.getrandbits(64) for _ in range(150)]
    for base in list(hashes):
        flipped = draw.sample(range(64), draw.randint(0, 8))
        hashes.append(base ^ sum(1 << bit for bit in flipped))
    hashes += hashes[:3]
    array = np.array(hashes, np.uint64)
    expected = [
        (i, j) for i in range(len(hashes)) for j in range(i + 1, len(hashes)) if (hashes[i] ^ hashes[j]).bit_count() <= distance
    ]
    assert near_pairs(array, distance).tolist() == [list(pair) for pair in expected]
    assert len(expected) > 5


def test_near_pairs_of_a_crowded_band_and_of_nothing() -> None:
    crowd = np.arange(700, dtype=np.uint64)
    slow = [(i, j) for i in range(700) for j in range(i + 1, 700) if (i ^ j).bit_count() <= 2]
    assert near_pairs(crowd, 2).tolist() == [list(pair) for pair in slow]
    assert near_pairs(np.array([], np.uint64), 4).shape == (0, 2)


def test_groups_are_what_pairs_connect() -> None:
    assert groups(np.array([(0, 3), (3, 5), (1, 2)]), 6) == [[0, 3, 5], [1, 2]]
    assert groups(np.empty((0, 2), np.int64), 3) == []


def test_packed_bits_differ_where_bits_do() -> None:
    first, second = bits(waves(scene(1))), bits(waves(scene(2)))
    a, b = packed(np.stack([first, second])).tolist()
    assert (a ^ b).bit_count() == int((first != second).sum()) > 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a dog on grass", "english"),
        ("Ein süßer Hund", "english"),
        ("一只小狗在草地上", "chinese"),
        ("一只dog在草地上跑步", "chinese"),
        ("a red dog 一只红色的狗", "mixed"),
        ("一件红色的T恤挂在墙上的衣架旁边", "chinese"),
        ("a small dog called 福 by everybody here", "english"),
        ("собака на траве", "other"),
        ("芝生の上のいぬがはしっている", "other"),
        ("12:30 !!", "none"),
    ],
)
def test_the_language_of_a_caption_is_told_by_its_script(text: str, expected: str) -> None:
    assert language(text) == expected


def test_captions_are_one_whatever_their_case_width_and_punctuation() -> None:
    assert caption_key("A dog, on grass.") == caption_key("a DOG on  grass") == caption_key("ａ dog on grass！")
    assert caption_key("a dog") != caption_key("a dogs")
    assert caption_key("小狗。") == caption_key("小狗")


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """A table with good pictures, a copy, a smaller one, a long, a small, a broken and an absent one, and an empty row."""
    folder = tmp_path / "images"
    folder.mkdir()
    files = {
        "a.jpg": jpeg(scene(1)),
        "copy.jpg": jpeg(scene(1)),
        "smaller.jpg": jpeg(scene(1).resize((240, 180)), 60),
        "b.jpg": jpeg(scene(2)),
        "long.jpg": jpeg(scene(3, (900, 250))),
        "small.jpg": jpeg(scene(4, (80, 60))),
        "broken.jpg": jpeg(scene(5))[:300],
        "grey1.jpg": jpeg(Image.new("RGB", (300, 300), (120, 120, 120))),
        "grey2.jpg": jpeg(Image.new("RGB", (300, 300), (122, 120, 120))),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    rows = [*((name, f"picture {name}") for name in files), ("absent.jpg", "nothing there"), ("b.jpg", "一只狗"), ("b.jpg", "")]
    table = tmp_path / "train.tsv"
    table.write_text("\n".join(["image\ttext", *(f"{name}\t{text}" for name, text in rows)]) + "\n", encoding="utf-8")
    return table


def test_every_fault_of_a_collection_is_found(collection: Path) -> None:
    found = review(read_pairs([str(collection)]))
    assert (found.pairs, found.pictures) == (11, 8)
    assert sum(found.broken.reasons.values()) == 3
    assert found.broken.reasons["has no text"] == 1
    assert {Path(name).name for name in found.broken.examples if "row" not in name} == {"broken.jpg", "absent.jpg"}
    assert found.shorter_side == Spread.of([240, 240, 180, 240, 250, 60, 300, 300])
    assert (found.small, found.long) == (2, 1)
    assert (found.same_bytes, found.near) == (1, 1)  # two plain grey pictures are no duplicates
    assert [{Path(name).name for name in group} for group in found.duplicate_examples] == [{"a.jpg", "copy.jpg", "smaller.jpg"}]
    assert found.languages == {"english": 10, "chinese": 1}
    assert found.different_captions == 11
    assert found.repeated == []
    assert found.leaks is None


def test_every_file_is_read_once(collection: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: Counter[str] = Counter()
    plain = Path.read_bytes

    def counted(file: Path) -> bytes:
        reads[file.name] += 1
        return plain(file)

    monkeypatch.setattr(Path, "read_bytes", counted)
    review(read_pairs([str(collection)]))
    pictures = {name: count for name, count in reads.items() if name.endswith((".jpg", ".png"))}
    assert len(pictures) > 3
    assert set(pictures.values()) == {1}


def test_repeated_captions_are_counted(tmp_path: Path) -> None:
    data = jpeg(scene(1))
    samples = [
        Sample(data, text, f"{n}", None, f"{n}")
        for n, text in enumerate(["Stock photo", "stock photo.", "a dog", "STOCK PHOTO"])
    ]
    found = review(samples)
    assert found.repeated == [("stock photo.", 3)]
    assert found.different_captions == 2


def test_pictures_and_captions_of_a_test_set_are_found(collection: Path, tmp_path: Path) -> None:
    folder = tmp_path / "test"
    folder.mkdir()
    (folder / "t1.png").write_bytes(jpeg(scene(2).filter(ImageFilter.GaussianBlur(1)).resize((400, 300)), 70))  # b.jpg, near
    (folder / "t2.jpg").write_bytes(jpeg(scene(1)))  # a.jpg and copy.jpg by bytes, smaller.jpg by look
    (folder / "t3.jpg").write_bytes(jpeg(scene(99)))
    (folder / "test.tsv").write_text("image\ttext\nt1.png\tnew words\nt2.jpg\tPicture LONG.jpg!\nt3.jpg\tnothing known\n")
    found = review(read_pairs([str(collection)]), read_pairs([str(folder / "test.tsv")]))
    assert (found.leaking_pictures, found.leaking_captions) == (4, 1)
    assert found.leaks is not None
    told = {(Path(leak.pair).name, Path(leak.test).name, leak.kind) for leak in found.leaks}
    assert told == {
        ("b.jpg", "t1.png", "picture"),
        ("a.jpg", "t2.jpg", "picture"),
        ("copy.jpg", "t2.jpg", "picture"),
        ("smaller.jpg", "t2.jpg", "picture"),
        ("long.jpg", "t2.jpg", "caption"),
    }


def test_shards_are_reviewed_as_tables_are(tmp_path: Path) -> None:
    pytest.importorskip("webdataset")
    tar(tmp_path / "s-0.tar", {"0.jpg": jpeg(scene(1)), "0.txt": "a dog", "1.jpg": b"no picture", "1.txt": "a cat"})
    tar(tmp_path / "s-1.tar", {"2.jpg": jpeg(scene(1), 70), "2.txt": "a dog", "3.jpg": jpeg(scene(2))})
    found = review(read_pairs([str(tmp_path / "s-{0..1}.tar")]))
    assert (found.pairs, found.pictures, found.near) == (3, 2, 1)
    assert sum(found.broken.reasons.values()) == 2
    assert found.repeated == [("a dog", 2)]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("image\tlabel", "expected a column with the text"),
        ("name\ttext", "expected a column with the picture (image, filepath"),
    ],
)
def test_a_table_of_something_else_is_refused(tmp_path: Path, header: str, message: str) -> None:
    (tmp_path / "in.tsv").write_text(f"{header}\na\tb\n")
    with pytest.raises(InputError) as raised:
        review(read_pairs([str(tmp_path / "in.tsv")]))
    assert message in str(raised.value)
