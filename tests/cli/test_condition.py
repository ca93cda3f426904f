"""`seesay condition` and `seesay tokens`: what is written and printed, and what is refused without a traceback."""

import json
import re
import shlex
import stat
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from seesay.checkpoints.hub.catalog import Architecture, catalog, find
from seesay.checkpoints.hub.url import cache_name, cached_file
from seesay.checkpoints.reader import open_checkpoint
from seesay.generation.conditioner import Conditioner
from tests import generator_files
from tests.cli.conftest import Run
from tests.generation import additions
from tests.generation.tiny import generator
from tests.parity.test_checkpoints import DATA

ARCHIVE = DATA / "openai-vit-archive" / "model.pt"


@pytest.fixture
def sd1(tmp_path: Path) -> Path:
    return generator(tmp_path / "sd1", "sd1")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.safetensors"


def test_the_file_has_the_tensors_that_the_library_makes(run: Run, tmp_path: Path, out: Path) -> None:
    folder = generator(tmp_path / "xl", "sdxl")
    result = run("condition", "a (cat:1.3)", "--from", folder, "--negative", "dog", "--clip-skip", 1, "-o", out, "--json")
    assert (result.code, result.err) == (0, "")
    expected = Conditioner(folder)("a (cat:1.3)", "dog", clip_skip=1)
    stored = load_file(out)
    assert all(torch.equal(stored[name], tensor) for name, tensor in expected.tensors.items())
    document = json.loads(result.out)
    assert document["tensors"]["prompt_embeds"] == [1, 77, 20]
    assert document["weights"] == [{"text": "cat", "weight": 1.3}]
    with safe_open(out, framework="pt") as file:
        assert json.loads(file.metadata()["fingerprint"]) == document["fingerprint"]


def test_both_numberings_the_chunks_and_the_weights_are_printed(run: Run, sd1: Path, out: Path) -> None:
    result = run("condition", "a (cat:1.3) BREAK in glasses--", "--from", sd1, "--clip-skip", 1, "-o", out)
    assert result.code == 0
    assert result.out.splitlines() == [
        "Stable Diffusion 1",
        "  prompt_embeds                  1 × 154 × 8",
        "  negative_prompt_embeds         1 × 154 × 8",
        "  clip skip 1 in diffusers, which is 2 in web interfaces",
        "  chunks of the prompt: 2, of the negative: 1",
        "  × 1.3    cat",
        "  × 0.81   glasses",
    ]


def test_embeddings_and_loras_are_applied(run: Run, sd1: Path, tmp_path: Path, out: Path) -> None:
    additions.web_embedding(tmp_path / "style.pt", "mystyle")
    lora = additions.kohya_lora(tmp_path / "lora.safetensors", "text_encoder", prefix="lora_te_")
    plain, other = tmp_path / "plain.safetensors", tmp_path / "other.safetensors"
    assert run("condition", "cat mystyle", "--from", sd1, "-o", plain).code == 0
    assert run("condition", "cat mystyle", "--from", sd1, "--embedding", tmp_path / "style.pt", "-o", out).code == 0
    assert run("condition", "cat mystyle", "--from", sd1, "--lora", f"{lora}:0.5", "-o", other).code == 0
    result = run("condition", "cat", "--from", sd1, "--embedding", tmp_path / "style.pt", "--lora", f"{lora}:0.5", "-o", out)
    assert re.search(r"LoRA lora\.safetensors × 0\.5: layers changed: text_encoder \d+\n", result.out)
    assert "new word mystyle (style.pt), vectors: 2, in: neither prompt\n" in result.out
    again = ("cat mystyle", "--negative", "MyStyle", "--embedding", tmp_path / "style.pt", "--lora", f"{lora}:0.5")
    document = json.loads(run("condition", *again, "--from", sd1, "-o", out, "--json").out)
    expected = {"name": "mystyle", "file": "style.pt", "vectors": 2, "used_in": ["prompt", "negative"]}
    assert document["embeddings"] == [expected]
    (applied,) = document["loras"]
    assert (applied["file"], applied["scale"]) == ("lora.safetensors", 0.5)
    assert applied["layers"]["text_encoder"] > 0
    with safe_open(out, framework="pt") as file:
        assert {name: json.loads(file.metadata()[name]) for name in ("loras", "embeddings")} == {
            "loras": [applied],
            "embeddings": [expected],
        }
    assert run("condition", "cat mystyle", "--from", sd1, "--embedding", tmp_path / "style.pt", "-o", out).code == 0
    tensors = [load_file(file)["prompt_embeds"] for file in (plain, out, other)]
    assert not torch.equal(tensors[0], tensors[1])
    assert not torch.equal(tensors[0], tensors[2])


def test_the_example_of_a_web_interface(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command and the program of docs/generation.md; they differ in the negative prompt's layers, as the page says."""
    page = (
        (Path(__file__).parents[2] / "docs" / "generation.md").read_text(encoding="utf-8").split("## From a web interface")[1]
    )
    shown = page.split("$ seesay ")[1].split("```")[0].replace("\\\n", " ")
    command, expected = shown.split("\n", 1)
    monkeypatch.chdir(tmp_path)
    generator(tmp_path / "model.safetensors", "sd1")
    additions.kohya_lora(tmp_path / "anime.safetensors", "text_encoder", prefix="lora_te_")
    result = run(*shlex.split(command))
    assert result.code == 0
    assert result.out + result.err == expected.replace("768", "8").replace("text_encoder 72", "text_encoder 24")
    written = load_file("out.safetensors")
    exec(page.split("```python\n")[1].split("```")[0])
    again = load_file("out.safetensors")
    assert torch.equal(written["prompt_embeds"], again["prompt_embeds"])
    assert not torch.equal(written["negative_prompt_embeds"], again["negative_prompt_embeds"])


@pytest.mark.parametrize("text", ["a cat <lora:anime:0.7>", "a cat AND a dog"])
def test_what_only_web_interfaces_read_is_noted(run: Run, sd1: Path, out: Path, text: str) -> None:
    result = run("condition", text, "--from", sd1, "-o", out)
    assert (result.code, "is read as" in result.err) == (0, True)
    assert "is read as" not in run("condition", "a cat and a dog", "--from", sd1, "-o", out).err


def test_an_empty_prompt_and_chinese_are_noted(run: Run, sd1: Path, out: Path) -> None:
    empty = run("condition", "", "--from", sd1, "-o", out)
    assert (empty.code, "note: the prompt is empty" in empty.err) == (0, True)
    chinese = run("condition", "一只猫", "--from", sd1, "-o", out, "--json")
    assert "reads as bytes that it hardly knows" in chinese.err
    assert len(json.loads(chinese.out)["notes"]) == 1


def test_ten_thousand_words_are_taken_with_a_note(run: Run, sd1: Path, out: Path) -> None:
    result = run("condition", "a cat, " * 5_000, "--from", sd1, "-o", out, "--json")
    assert result.code == 0
    assert "generators were trained with one" in result.err
    assert json.loads(result.out)["chunks"] == 200


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("a (cat", "the ( at character 3 of the prompt is never closed"),
        ("(cat:nan)", "expected a weight of 0 or more after the : at character 5 of the prompt, got 'nan'"),
        ("(cat:-2)", "got '-2'"),
        ("cat " * 40_000, "fills 534 chunks of 75 tokens"),
    ],
)
def test_a_prompt_that_cannot_be_read_is_refused(run: Run, sd1: Path, out: Path, prompt: str, message: str) -> None:
    result = run("condition", prompt, "--from", sd1, "-o", out)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert not out.exists()


def bad_files(place: Path) -> dict[str, Path]:
    """Files that cannot condition anything."""
    (place / "text.safetensors").write_text("no tensors", encoding="utf-8")
    lone = generator_files.nested(generator_files.random_state(64, 2, 49_408), "conditioner.embedders.0.transformer.")
    return {
        "wrong": place / "text.safetensors",
        "missing": place / "nothing.safetensors",
        "unet": generator_files.write(generator_files.UNET, place / "unet.safetensors"),
        "half": generator_files.write(lone, place / "half.safetensors"),
    }


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("wrong", "is neither safetensors nor a torch file"),
        ("missing", "there is no file or folder"),
        ("unet", "has no text encoder"),
        ("half", "without its second text encoder"),
    ],
)
def test_a_file_that_cannot_condition_is_refused(run: Run, tmp_path: Path, out: Path, kind: str, message: str) -> None:
    result = run("condition", "a cat", "--from", bad_files(tmp_path)[kind], "-o", out)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert "Traceback" not in result.err


def test_a_picture_and_a_text_are_named(run: Run, tmp_path: Path, out: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "photo.png")
    (tmp_path / "words.txt").write_text("一只猫" * 30, encoding="utf-8")
    for file, said in (("photo.png", "photo.png is a picture. Give weights"), ("words.txt", "but a text. Give weights")):
        for command in (("condition", "a cat", "-o", out), ("tokens", "a cat")):
            result = run(*command, "--from", tmp_path / file)
            assert (result.code, said in result.err) == (2, True)


def test_its_own_output_is_named_and_conditions_nothing(run: Run, sd1: Path, out: Path, tmp_path: Path) -> None:
    assert run("condition", "a (cat:1.3)", "--from", sd1, "-o", out).code == 0
    result = run("models", "inspect", out)
    assert (result.code, result.err) == (0, "")
    assert "Conditioning that SeeSay made of a prompt" in result.out
    assert "family sd1" in result.out
    assert 'weights [{"text": "cat", "weight": 1.3}]' in result.out
    refused = run("condition", "a cat", "--from", out, "-o", tmp_path / "other.safetensors")
    assert (refused.code, "has no text encoder: Conditioning that SeeSay made" in refused.err) == (2, True)


def test_a_name_of_the_catalogue_means_its_weights(
    run: Run, tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = run("condition", "a cat", "--from", "openai/ViT-L-14", "-o", out)
    assert missing.code == 2
    assert "openai/ViT-L-14 is not on this machine; seesay models pull openai/ViT-L-14 gets it" in missing.err
    entry = find("openai/ViT-L-14")
    assert entry is not None
    assert entry.source.url is not None
    target = cached_file(cache_name(entry.source.url))
    target.parent.mkdir(parents=True)
    target.write_bytes(ARCHIVE.read_bytes())
    described = open_checkpoint(ARCHIVE).description
    assert described.image is not None
    assert described.text is not None
    assert described.tokenizer_spec is not None
    tiny = Architecture(described.dim, described.image, described.text, "clip", described.tokenizer_spec)
    monkeypatch.setitem(catalog().architectures, entry.architecture, tiny)
    assert described.image_spec is not None
    small = replace(entry, preprocess=described.image_spec)
    module = sys.modules["seesay.checkpoints.diffusion.text_encoders"]
    monkeypatch.setattr(module, "find", lambda name: small if find(name) is entry else None)
    monkeypatch.chdir(tmp_path)
    context = json.loads(run("tokens", "a cat", "--from", "ViT-L/14", "--json").out)["context"]
    assert context == described.tokenizer_spec.context_length


def test_an_embedding_of_another_width_is_refused(run: Run, sd1: Path, tmp_path: Path, out: Path) -> None:
    save_file({"emb_params": torch.zeros(1, 768)}, tmp_path / "e.safetensors")
    result = run("condition", "a cat", "--from", sd1, "--embedding", tmp_path / "e.safetensors", "-o", out)
    assert result.code == 2
    assert "its vectors are 768 wide" in result.err
    assert "takes vectors 8 wide" in result.err


class Hostile:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return open, (str(self.mark), "w")


@pytest.mark.parametrize("option", ["--embedding", "--lora", "--from"])
def test_a_pickle_that_runs_code_is_refused_and_not_run(run: Run, sd1: Path, tmp_path: Path, out: Path, option: str) -> None:
    torch.save({"string_to_param": {"*": torch.zeros(1, 8)}, "name": Hostile(tmp_path / "ran")}, tmp_path / "evil.pt")
    files = {"--from": sd1} | {option: tmp_path / "evil.pt"}
    result = run("condition", "a cat", *(each for pair in files.items() for each in pair), "-o", out)
    assert result.code == 2
    assert "cannot be read without running" in result.err or "without running what is in it" in result.err
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--clip-skip", "9"), "--clip-skip: expected 0 to 3"),
        (("--clip-skip", "two"), "is not a valid integer"),
        (("--rule", "mean"), "is not one of"),
        (("--lora", "x.safetensors:nan"), "expected a number after the file and the colon, its scale; got 'nan'"),
        (("--lora", "x:abc"), "its scale; got 'abc'"),
        (("--negative", "a (cat"), "the negative prompt: the ( at character 3 of the prompt is never closed"),
        (("--negative", "cat " * 40_000), "the negative prompt: the prompt fills 534 chunks"),
        (("--lora", "x.safetensors:2"), "there is no file or folder x.safetensors"),
    ],
)
def test_options_that_cannot_be_followed_are_refused(
    run: Run, sd1: Path, out: Path, arguments: tuple[str, ...], message: str
) -> None:
    result = run("condition", "a cat", "--from", sd1, *arguments, "-o", out)
    assert result.code == 2
    assert message in result.err


def test_no_file_that_is_read_is_written_over(run: Run, sd1: Path, tmp_path: Path) -> None:
    weights = sd1 / "text_encoder" / "model.safetensors"
    before = weights.read_bytes()
    link = tmp_path / "link.safetensors"
    link.symlink_to(weights)
    for output in (weights, link):
        for source in (sd1, weights):
            result = run("condition", "a cat", "--from", source, "-o", output)
            assert result.code == 2
            assert "writes over no file that it reads" in result.err
    assert weights.read_bytes() == before
    embedding = additions.web_safetensors(tmp_path / "style.safetensors")
    lora = additions.kohya_lora(tmp_path / "lora.safetensors", "text_encoder", prefix="lora_te_")
    for option, file, given in (("--embedding", embedding, embedding), ("--lora", lora, f"{lora}:0.5")):
        assert run("condition", "a cat", "--from", sd1, option, given, "-o", file).code == 2
    assert run("condition", "a cat", "--from", sd1, "-o", tmp_path / "out.png").code == 2


def test_no_checkpoint_is_written_over_and_an_output_is(run: Run, sd1: Path, out: Path, tmp_path: Path) -> None:
    checkpoint = generator_files.write(generator_files.UNET, tmp_path / "painter.safetensors")
    (tmp_path / "note.safetensors").write_text("no tensors", encoding="utf-8")
    for file in (checkpoint, tmp_path / "note.safetensors"):
        before = file.read_bytes()
        result = run("condition", "a cat", "--from", sd1, "-o", file)
        assert (result.code, result.out) == (2, "")
        assert "is there already and was not written by this command" in result.err
        assert file.read_bytes() == before
    for prompt in ("a cat", "a dog"):
        assert run("condition", prompt, "--from", sd1, "-o", out).code == 0
    assert stat.S_IMODE(out.stat().st_mode) == stat.S_IMODE((tmp_path / "note.safetensors").stat().st_mode)


def test_without_a_skip_none_is_printed(run: Run, sd1: Path, out: Path) -> None:
    assert "clip skip none in diffusers, which is 1 in web" in run("condition", "a cat", "--from", sd1, "-o", out).out


@pytest.mark.parametrize(
    ("prompt", "note"),
    [
        ("a cat <lora:anime:0.8>", "<lora:anime:0.8> is read as text: take it out, and give the LoRA's file by --lora"),
        ("a cat <hypernet:oil>", "hypernetworks change the painter"),
        ("a cat AND a dog", "AND is read as a word"),
        ("（fox：1.2）", "（fox：1.2） is read as text: full-width"),
        ("a (fox：1.2)", "(fox：1.2) is read as text: full-width"),
        ("（（fox））", "（（ is read as text: full-width"),
    ],
)
def test_what_means_nothing_here_is_noted(run: Run, sd1: Path, out: Path, prompt: str, note: str) -> None:
    assert note in run("tokens", prompt).err
    for arguments in ((prompt,), ("a cat", "--negative", prompt)):
        result = run("condition", *arguments, "--from", sd1, "-o", out, "--json")
        assert result.code == 0
        assert note in result.err
        assert any(note in each for each in json.loads(result.out)["notes"])


def test_plain_words_and_brackets_are_not_noted(run: Run) -> None:
    assert json.loads(run("tokens", "a (fox:1.2), BAND and RAND, at 5：30", "--json").out)["notes"] == []


def test_tokens_show_pieces_and_weights(run: Run) -> None:
    result = run("tokens", "a (cat in sunglasses:1.3)")
    assert result.code == 0
    assert "the vocabulary of CLIP" in result.err
    assert [line.split() for line in result.out.splitlines()[1:]] == [
        ["1", "320", "a</w>"],
        ["2", "2368", "cat</w>", "×", "1.3"],
        ["3", "530", "in</w>", "×", "1.3"],
        ["4", "12906", "sunglasses</w>", "×", "1.3"],
    ]


def test_tokens_note_chinese_that_is_read_as_bytes(run: Run) -> None:
    result = run("tokens", "一只猫", "--json")
    assert "reads as bytes that it hardly knows" in result.err
    document = json.loads(result.out)
    assert len(document["notes"]) == 1
    assert document["words"] == ["一只猫"]
    lines = run("tokens", "一只(猫:1.2) café").out.splitlines()[1:]
    assert [" ".join(line.split()[2:]) for line in lines] == [
        "<E4 B8> 一只",
        "<80>",
        "<E5 8F>",
        "<AA></w>",
        "<E7> × 1.2 猫",
        "<8C> × 1.2",
        "<AB></w> × 1.2",
        "café</w>",
    ]


def test_tokens_say_where_77_ends(run: Run) -> None:
    result = run("tokens", "cat " * 74 + "sunglasses dog in hats", "--json")
    document = json.loads(result.out)
    assert (document["context"], document["room"], document["count"], document["lost"]) == (77, 75, 78, "dog in hats")
    assert [len(chunk) for chunk in document["chunks"]] == [75, 3]
    shown = run("tokens", "cat " * 74 + "sunglasses dog in hats")
    assert "loses: dog in hats" in shown.out


def test_tokens_of_a_very_long_prompt_are_summed_up_first(run: Run) -> None:
    lines = run("tokens", "cat " * 500).out.splitlines()
    assert lines[0] == "500 tokens in 7 chunks of at most 75"
    assert lines[1].startswith("77 positions end after token 75")
    assert sum("cat</w>" in line for line in lines[2:]) == 200
    assert lines[-1] == "... and 300 more; --json lists all"


@pytest.mark.parametrize("prompt", ["", "(:1.3)", "  "])
def test_tokens_say_that_there_are_no_words(run: Run, prompt: str) -> None:
    result = run("tokens", prompt)
    assert (result.code, result.out) == (0, "")
    assert "the prompt has no words" in result.err


def test_tokens_of_a_generator_are_cut_by_its_own_tokenizer(run: Run, sd1: Path) -> None:
    result = run("tokens", "a sunny cat", "--from", sd1, "--json")
    document = json.loads(result.out)
    assert [token["piece"] for token in document["chunks"][0]] == ["a</w>", "su", "n", "n", "y</w>", "cat</w>"]
    assert (result.err, document["from"]) == ("", str(sd1))
    assert run("tokens", "(a").code == 2


def test_only_condition_needs_torch(run: Run, sd1: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert run("tokens", "a cat", "--from", sd1).code == 0
    refused = run("condition", "a cat", "--from", sd1, "-o", out)
    assert refused.code == 2
    assert "pip install 'seesay[torch]'" in refused.err


def test_commands_speak_chinese(run: Run, sd1: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE", "zh_CN")
    assert "提示词" in run("condition", "a (cat", "--from", sd1, "-o", out).err
    assert "提示词" in run("condition", "一只猫", "--from", sd1, "-o", out).err
    assert "负面提示词：提示词第 3 个字符" in run("condition", "a cat", "--negative", "a (cat", "--from", sd1, "-o", out).err
    assert "第 1 段" in run("tokens", "a cat").out
