"""What a generator is given: by family, rule, length, language; and files that cannot be used are refused."""

import io
import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import seesay
from seesay.errors import CheckpointError, InputError, TextTooLong, UnusualPrompt
from seesay.generation.conditioner import MOST_CHUNKS, Conditioner
from seesay.generation.lora import read_lora
from seesay.generation.textual_inversion import read_inversion
from seesay.generation.weighting import Rule
from seesay.tokenizers import vocabulary
from seesay.tokenizers.to_files import transformers_files
from tests import generator_files
from tests.generation import additions
from tests.generation.tiny import LAYERS, generator, state, vocabulary_size

RULES: tuple[Rule, ...] = ("towards-empty", "restore-mean")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("generators")
    return {family: generator(place / family, family) for family in ("sd1", "sdxl", "sdxl-refiner", "sd3", "flux")}


@pytest.fixture(scope="module")
def sd1(folders: dict[str, Path]) -> Conditioner:
    return Conditioner(folders["sd1"])


@pytest.fixture(scope="module")
def sdxl(folders: dict[str, Path]) -> Conditioner:
    return Conditioner(folders["sdxl"])


def embeds(conditioner: Conditioner, prompt: str, **options: Any) -> torch.Tensor:
    return conditioner(prompt, **options).tensors["prompt_embeds"]


# Weights


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("prompt", ["a (cat:1.0) in (sunglasses:1)", "a (cat:0.5)(:2) in ((sunglasses:0.5):2)"])
def test_a_weight_of_1_changes_no_bit(sd1: Conditioner, rule: Rule, prompt: str) -> None:
    plain = embeds(sd1, "a cat in sunglasses", rule="none")
    weighted = embeds(sd1, prompt.replace("(cat:0.5)(:2)", "((cat:0.5):2)"), rule=rule)
    assert torch.equal(plain, weighted)


def test_tokens_of_weight_1_keep_every_bit_where_nothing_is_lessened(sd1: Conditioner) -> None:
    plain, weighted = embeds(sd1, "a cat in glasses"), embeds(sd1, "a (cat:1.5) in glasses")
    changed = (plain != weighted).any(dim=2)[0].nonzero().flatten().tolist()
    assert changed == [2]


def test_a_weight_near_0_leaves_what_the_prompt_has_without_the_part(sd1: Conditioner) -> None:
    """Of the token behind the hidden one: it stays in its place and does not see it."""
    encoder = sd1.encoders[0]
    ids = torch.from_numpy(encoder.tokenizer(["a cat dog"]).ids[0])[None]
    visible = torch.ones_like(ids, dtype=torch.bool)
    visible[0, 2] = False
    with torch.no_grad():
        hidden = encoder.tower.last_state(encoder.tower.hidden_states(ids, visible))
        seen = encoder.tower.last_state(encoder.tower.hidden_states(ids))
    found = embeds(sd1, "a (cat:0) dog")
    assert (found[0, 3:] - hidden[0, 3:]).abs().max() < 1e-3
    assert (found[0, 3:] - seen[0, 3:]).abs().max() > 0.01


def test_restoring_the_mean_keeps_the_mean_of_a_chunk(sd1: Conditioner) -> None:
    plain = embeds(sd1, "a cat in glasses")
    weighted = embeds(sd1, "a (cat:1.5) in [glasses]", rule="restore-mean")
    torch.testing.assert_close(weighted.mean(), plain.mean(), rtol=1e-4, atol=1e-6)
    assert (weighted - plain).abs().max() > 0.1


def test_pooled_embeddings_have_no_weights(sdxl: Conditioner) -> None:
    plain, weighted = sdxl("a cat in glasses"), sdxl("a (cat:1.5) in [glasses]")
    assert torch.equal(plain.tensors["pooled_prompt_embeds"], weighted.tensors["pooled_prompt_embeds"])


def test_without_a_rule_brackets_are_text(sd1: Conditioner) -> None:
    literal, escaped = embeds(sd1, "a (cat:1.3)", rule="none"), embeds(sd1, r"a \(cat\:1.3\)")
    assert torch.equal(literal, escaped)


# Long prompts


def test_the_first_chunk_of_a_long_prompt_is_the_short_prompt(sd1: Conditioner) -> None:
    one, two = embeds(sd1, "cat " * 75), embeds(sd1, "cat " * 76)
    assert (one.shape[1], two.shape[1]) == (77, 154)
    torch.testing.assert_close(two[:, :77], one)
    torch.testing.assert_close(two[:, 77:], embeds(sd1, "cat"))


@pytest.mark.parametrize(("prompt", "negative"), [("cat " * 200, "dog"), ("dog", "cat " * 200), ("", "cat " * 76)])
@pytest.mark.parametrize("family", ["sd1", "sdxl", "sdxl-refiner"])
def test_positive_and_negative_are_of_equal_shape(folders: dict[str, Path], family: str, prompt: str, negative: str) -> None:
    conditioner = Conditioner(folders[family])
    if not prompt:
        with pytest.warns(UnusualPrompt, match="is empty"):
            found = conditioner(prompt, negative)
    else:
        found = conditioner(prompt, negative)
    assert found.tensors["prompt_embeds"].shape == found.tensors["negative_prompt_embeds"].shape
    shorter = found.tensors["prompt_embeds"] if len(prompt) < len(negative) else found.tensors["negative_prompt_embeds"]
    with pytest.warns(UnusualPrompt):
        empty = conditioner("", "").tensors["prompt_embeds"]
    torch.testing.assert_close(shorter[:, -77:], empty)


def test_break_encodes_apart(sd1: Conditioner) -> None:
    torch.testing.assert_close(embeds(sd1, "a cat BREAK a dog"), torch.cat([embeds(sd1, "a cat"), embeds(sd1, "a dog")], dim=1))


def test_ten_thousand_words_are_encoded_chunk_by_chunk_with_a_note(sd1: Conditioner) -> None:
    with pytest.warns(UnusualPrompt, match="fills 134 chunks"):
        found = embeds(sd1, "cat " * 10_000)
    assert found.shape == (1, 134 * 77, 8)
    with pytest.raises(TextTooLong, match=f"fills 1067 chunks of 75 tokens, and more than {MOST_CHUNKS}"):
        sd1("cat " * 80_000)


def test_progress_counts_the_chunks_of_both_prompts_and_encoders(sdxl: Conditioner) -> None:
    seen: list[tuple[int, int]] = []
    with pytest.warns(UnusualPrompt, match="fills 10 chunks"):
        sdxl("cat " * 75 * 10, "dog", progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (22, 22)
    assert len(seen) == 6  # batches of 8 and 2 for each encoder, then the negative's


# Families


def test_xl_is_given_zeros_without_a_negative_unless_its_folder_says_no(folders: dict[str, Path], tmp_path: Path) -> None:
    found = Conditioner(folders["sdxl"])("a cat")
    assert not found.tensors["negative_prompt_embeds"].any()
    assert not found.tensors["negative_pooled_prompt_embeds"].any()
    other = Conditioner(generator(tmp_path / "xl", "sdxl", force_zeros_for_empty_prompt=False))("a cat")
    assert other.tensors["negative_prompt_embeds"].any()


@pytest.mark.parametrize(
    ("family", "shapes"),
    [
        ("sd1", {"prompt_embeds": (1, 77, 8), "negative_prompt_embeds": (1, 77, 8)}),
        ("sdxl", {"prompt_embeds": (1, 77, 20), "pooled_prompt_embeds": (1, 12)}),
        ("sdxl-refiner", {"prompt_embeds": (1, 77, 12), "pooled_prompt_embeds": (1, 12)}),
        ("sd3", {"prompt_embeds": (1, 333, 4096), "pooled_prompt_embeds": (1, 20)}),
        ("flux", {"pooled_prompt_embeds": (1, 8), "negative_pooled_prompt_embeds": (1, 8)}),
    ],
)
@pytest.mark.filterwarnings("ignore::seesay.errors.UnusualPrompt")
def test_each_family_is_given_its_tensors(folders: dict[str, Path], family: str, shapes: dict[str, tuple[int, ...]]) -> None:
    found = Conditioner(folders[family])("a cat", "dog").tensors
    assert shapes.items() <= {name: tuple(tensor.shape) for name, tensor in found.items()}.items()
    assert all(tensor.dtype == torch.float32 for tensor in found.values())
    assert ("pooled_prompt_embeds" in found) == (family != "sd1")
    assert ("prompt_embeds" in found) == (family != "flux")


def test_clip_skip_is_that_layer_then_the_norm(sd1: Conditioner) -> None:
    encoder = sd1.encoders[0]
    ids = torch.from_numpy(encoder.tokenizer(["a cat"]).ids)
    with torch.no_grad():
        states = encoder.tower.hidden_states(ids)
        for skip in range(LAYERS):
            expected = encoder.tower.norm_after(states[-(skip + 1)])  # type: ignore[operator]
            assert torch.equal(embeds(sd1, "a cat", clip_skip=skip), expected)


def test_a_negative_prompt_skips_only_where_it_is_told(sd1: Conditioner) -> None:
    diffusers, web = sd1("cat", "dog", clip_skip=1), sd1("cat", "dog", clip_skip=1, negative_clip_skip=1)
    plain, skipped = sd1("cat", "dog").tensors["negative_prompt_embeds"], embeds(sd1, "dog", clip_skip=1)
    assert torch.equal(diffusers.tensors["negative_prompt_embeds"], plain)
    assert torch.equal(web.tensors["negative_prompt_embeds"], skipped)


@pytest.mark.parametrize(("family", "none", "one"), [("sd1", 1, 2), ("sdxl", 2, 3), ("flux", None, None)])
def test_both_numberings_of_clip_skip_are_told(
    folders: dict[str, Path], family: str, none: int | None, one: int | None
) -> None:
    conditioner = Conditioner(folders[family])
    assert (conditioner.web_clip_skip(None), conditioner.web_clip_skip(1)) == (none, one)


@pytest.mark.parametrize("skip", [-1, 4, 100, 1.5, True])
def test_a_skip_beyond_the_layers_is_refused(sd1: Conditioner, skip: Any) -> None:
    with pytest.raises(InputError, match="clip_skip: expected 0 to 3 for the 4 layers of text_encoder"):
        sd1("a cat", clip_skip=skip)


def test_flux_has_no_clip_skip(folders: dict[str, Path]) -> None:
    with pytest.raises(InputError, match="knows no CLIP skip"):
        Conditioner(folders["flux"])("a cat", clip_skip=1)


def test_an_unknown_rule_is_refused(sd1: Conditioner) -> None:
    with pytest.raises(InputError, match="rule: expected one of towards-empty, restore-mean, none, got 'mean'"):
        sd1("a cat", rule="mean")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="prompt: expected a text, got int"):
        sd1(3)  # type: ignore[arg-type]


def tiny_sd2(place: Path) -> tuple[Path, Path]:
    """One Stable Diffusion 2 as a single file with 3 layers, and as a folder with the first 2."""
    whole = generator_files.random_state(64, 3, 49_408, projection=64)
    file = generator_files.write(generator_files.sd2(whole), place / "sd2.safetensors")
    short = {name: tensor for name, tensor in whole.items() if ".layers.2." not in name and name != "text_projection.weight"}
    config = generator_files.text_config(short, activation="gelu", heads=1)
    folder = generator_files.write_folder(
        place / "sd2", "StableDiffusionPipeline", {"text_encoder": (short, config)}, "model.safetensors"
    )
    return file, folder


def test_stable_diffusion_2_is_the_same_from_a_single_file_and_a_folder(tmp_path: Path) -> None:
    file, folder = map(Conditioner, tiny_sd2(tmp_path))
    assert (file.family, folder.family) == ("sd2", "sd2")
    for skip in (None, 1):
        a, b = file("a cat", "dog", clip_skip=skip), folder("a cat", "dog", clip_skip=skip)
        torch.testing.assert_close(a.tensors["prompt_embeds"], b.tensors["prompt_embeds"], atol=1e-6, rtol=0)
        assert a.web_clip_skip == b.web_clip_skip == (3 if skip else 2)
    with pytest.raises(InputError, match="expected 0 to 1"):
        file("a cat", clip_skip=2)


@pytest.mark.parametrize("text", ["“a cat”, it's", "a &amp; b", "naïve ＡＢＣ", "A\u200bB\n c", "<|endoftext|> cat"])
def test_a_single_file_cuts_texts_as_the_files_of_its_tokenizer_do(tmp_path: Path, text: str) -> None:
    """As transformers, and so diffusers, does with a folder: no repairs of texts, no HTML entities."""
    file, folder = tiny_sd2(tmp_path)
    for name, content in transformers_files(vocabulary("clip"), 77).items():
        if name != "tokenizer.json":
            (folder / "tokenizer").mkdir(exist_ok=True)
            is_text = isinstance(content, str)
            (folder / "tokenizer" / name).write_text(content if is_text else json.dumps(content), encoding="utf-8")
    single, whole = (Conditioner(each)(text).positive.chunks for each in (file, folder))
    assert [token.id for token in single[0].tokens] == [token.id for token in whole[0].tokens]
    assert single[0].tokens


def test_a_clip_checkpoint_gives_its_last_state_and_its_embedding() -> None:
    found = seesay.condition("a dog on grass", Path(seesay.__file__).parent / "bundled")
    model = seesay.load(engine="torch")
    np.testing.assert_allclose(
        found.tensors["pooled_prompt_embeds"].numpy(), model.encode_text("a dog on grass", normalize=False), atol=1e-4
    )
    assert found.family is None
    assert found.tensors["prompt_embeds"].shape[1] == model.tokenizer.spec.context_length


# Languages


def test_chinese_in_an_english_clip_is_noted(sd1: Conditioner) -> None:
    with pytest.warns(UnusualPrompt, match="reads as bytes that it hardly knows"):
        found = sd1("一只猫")
    assert len(found.notes) == 1


def test_chinese_in_a_chinese_clip_is_not_noted(tmp_path: Path) -> None:
    folder = shutil.copytree(Path(__file__).parents[1] / "parity" / "data" / "hf-chinese-clip-5", tmp_path / "chinese")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"一只猫", *(f"word{i}" for i in range(292))]
    (folder / "vocab.txt").write_text("\n".join([*words, ""]), encoding="utf-8")
    found = seesay.condition("(一只:1.2)猫", folder)
    assert found.notes == ()
    assert found.tensors["prompt_attention_mask"].sum() == 5  # three characters between beginning and end


def test_taiyi_reads_chinese_and_skips_no_layer(tmp_path: Path) -> None:
    conditioner = Conditioner(generator(tmp_path / "taiyi", "taiyi"))
    found = conditioner("一只(戴墨镜:1.3)的[猫]", "红狗")
    assert found.notes == ()
    assert {name: tuple(tensor.shape) for name, tensor in found.tensors.items()} == {
        "prompt_embeds": (1, 20, 8),
        "negative_prompt_embeds": (1, 20, 8),
    }
    assert found.web_clip_skip is None
    with pytest.raises(InputError, match="knows no CLIP skip"):
        conditioner("猫", clip_skip=1)


@pytest.mark.parametrize("kind", ["altdiffusion", "altdiffusion_pre"])
def test_altdiffusion_does_not_see_padding(tmp_path: Path, kind: str) -> None:
    """Its fixture with a vocabulary of its 90 ids: <s>, <pad>, </s>, <unk>, and words."""
    folder = shutil.copytree(Path(__file__).parents[1] / "parity" / "data" / "generators" / kind, tmp_path / kind)
    (folder / "model_index.json").write_text(
        json.dumps({"_class_name": "AltDiffusionPipeline", "text_encoder": ["alt_diffusion", "RobertaSeries"]}),
        encoding="utf-8",
    )
    words = ["<s>", "<pad>", "</s>", "<unk>", *"一只戴墨镜的猫", *(f"word{i}" for i in range(79))]
    backend = tokenizers.Tokenizer(tokenizers.models.WordLevel(dict(zip(words, range(90), strict=True)), "<unk>"))
    backend.pre_tokenizer = tokenizers.pre_tokenizers.Split("", "isolated")
    backend.add_special_tokens(["<s>", "<pad>", "</s>"])
    backend.post_processor = tokenizers.processors.TemplateProcessing("<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    (folder / "tokenizer").mkdir()
    backend.save(str(folder / "tokenizer" / "tokenizer.json"))
    (folder / "tokenizer" / "tokenizer_config.json").write_text(
        '{"pad_token": "<pad>", "model_max_length": 77}', encoding="utf-8"
    )
    found = Conditioner(folder)("一只戴墨镜的猫", "猫")
    assert found.family == "altdiffusion"
    assert found.notes == ()
    assert {name: tuple(tensor.shape) for name, tensor in found.tensors.items()} == {
        "prompt_embeds": (1, 77, 24),
        "negative_prompt_embeds": (1, 77, 24),
    }
    encoder = Conditioner(folder).encoders[0]
    assert encoder.masks_padding
    ids = torch.from_numpy(encoder.tokenizer.framed([4, 5, 6, 7, 8, 9, 10]))[None, :9]
    with torch.no_grad():
        alone = encoder.file.last_state(encoder.tower, encoder.tower.hidden_states(ids))
    torch.testing.assert_close(found.tensors["prompt_embeds"][:, :9], alone, atol=1e-5, rtol=0)


# Textual inversions and LoRA


def test_an_embedding_that_neither_prompt_names_is_noted(folders: dict[str, Path], tmp_path: Path) -> None:
    conditioner = Conditioner(folders["sd1"], embeddings=[additions.web_embedding(tmp_path / "a.pt", "mystyle")])
    with pytest.warns(UnusualPrompt, match="mystyle is in neither prompt"):
        conditioner("a cat", "dog")
    assert conditioner("a cat", "dog, mystyle").notes == ()


def test_an_embedding_counts_as_many_tokens_as_it_has_vectors(folders: dict[str, Path], tmp_path: Path) -> None:
    conditioner = Conditioner(folders["sd1"], embeddings=[additions.web_embedding(tmp_path / "a.pt", "mystyle", count=10)])
    (chunk,) = conditioner("a mystyle, cat").positive.chunks
    assert [token.piece for token in chunk.tokens][1:4] == ["mystyle/1", "mystyle/2", "mystyle/3"]
    assert len(chunk.tokens) == 13


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_an_embedding_of_another_width_is_refused_with_both_widths(
    folders: dict[str, Path], family: str, tmp_path: Path
) -> None:
    path = tmp_path / "wide.safetensors"
    save_file({"emb_params": torch.zeros(1, 1024)}, path)
    with pytest.raises(InputError, match=r"its vectors are 1024 wide, and text_encoder of .* takes vectors 8 wide"):
        Conditioner(folders[family], embeddings=[path])


def test_an_embedding_for_one_encoder_is_refused_by_xl(folders: dict[str, Path], tmp_path: Path) -> None:
    path = additions.web_embedding(tmp_path / "a.pt", "mystyle")
    with pytest.raises(InputError, match=r"its vectors are 8 wide, and text_encoder_2 of .* takes vectors 12 wide"):
        Conditioner(folders["sdxl"], embeddings=[path])


class Ran(Exception):
    """Raised by a pickle that is run."""


def boom() -> None:
    raise Ran


class Hostile:
    def __reduce__(self) -> Any:
        return boom, ()


@pytest.mark.parametrize("ending", ["pt", "bin", "safetensors"])
def test_a_pickle_that_runs_code_is_refused_and_not_run(folders: dict[str, Path], tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"evil.{ending}"
    if ending == "pt":
        torch.save({"string_to_param": {"*": torch.zeros(1, 8)}, "name": Hostile()}, path)
    else:
        path.write_bytes(pickle.dumps({"<x>": Hostile()}))
    for options in ({"embeddings": [path]}, {"loras": [path]}):
        with pytest.raises(CheckpointError, match="without running what is in it"):
            Conditioner(folders["sd1"], **options)
    with pytest.raises(Ran):  # it would have run
        torch.load(io.BytesIO(path.read_bytes()), weights_only=False)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"a.b": torch.zeros(2, 8), "c.d": torch.zeros(2)}, "expected one tensor, or clip_l and clip_g, got 2 tensors"),
        ({"emb_params": torch.zeros(1, 2, 8)}, r"expected vectors \(n, width\)"),
        ({"emb_params": torch.full((1, 8), float("nan"))}, "are not finite numbers"),
        ({"emb_params": torch.zeros(76, 8)}, "expected 1 to 75 vectors"),
        ({"emb_params": torch.zeros(0, 8)}, "expected 1 to 75 vectors"),
        ({"clip_l": torch.zeros(2, 8), "clip_g": torch.zeros(1, 12)}, "expected 1 to 75 vectors for each encoder"),
    ],
)
def test_a_file_that_is_no_embedding_is_refused(tmp_path: Path, tensors: dict[str, torch.Tensor], message: str) -> None:
    path = tmp_path / "a.safetensors"
    save_file(tensors, path)
    with pytest.raises(CheckpointError, match=message):
        read_inversion(path)


def test_a_lora_changes_in_proportion_to_its_scale(folders: dict[str, Path], tmp_path: Path) -> None:
    path = additions.kohya_lora(tmp_path / "a.safetensors", "text_encoder", prefix="lora_te_")
    before = Conditioner(folders["sd1"]).encoders[0].tower.state_dict()
    one, half = (Conditioner(folders["sd1"], loras=[read_lora(path, scale)]) for scale in (1.0, 0.5))
    for name, weight in before.items():
        whole = one.encoders[0].tower.state_dict()[name] - weight
        torch.testing.assert_close(half.encoders[0].tower.state_dict()[name] - weight, whole / 2, atol=1e-5, rtol=1e-4)
        assert bool(whole.any()) == (".attention." in name or ".mlp." in name) * name.endswith("weight")
    plain, none = (Conditioner(folders["sd1"], loras=loras) for loras in ((), [read_lora(path, 0.0)]))
    assert torch.equal(embeds(plain, "a cat"), embeds(none, "a cat"))
    twice = Conditioner(folders["sd1"], loras=[read_lora(path, 0.5), read_lora(path, 0.5)])
    torch.testing.assert_close(embeds(twice, "a cat"), embeds(one, "a cat"), atol=1e-4, rtol=1e-4)


def test_a_lora_for_an_encoder_with_fused_attention_changes_what_its_names_say(tmp_path: Path) -> None:
    """LoRA name transformers' layers, Stable Diffusion 2 files have OpenCLIP's: the same change must come out of both."""
    file, folder = tiny_sd2(tmp_path)
    tensors: dict[str, torch.Tensor] = {}
    for kind in ("q", "k", "v", "out"):
        at = f"lora_te_text_model_encoder_layers_1_self_attn_{kind}_proj"
        tensors |= {f"{at}.lora_down.weight": torch.randn(2, 64) * 0.2, f"{at}.lora_up.weight": torch.randn(64, 2) * 0.2}
    path = tmp_path / "lora.safetensors"
    save_file(tensors, path)
    a, b = (embeds(Conditioner(source, loras=[path]), "a cat") for source in (file, folder))
    torch.testing.assert_close(a, b, atol=1e-5, rtol=0)
    assert (a - embeds(Conditioner(file), "a cat")).abs().max() > 0.01


def test_a_lora_of_the_denoiser_alone_is_noted(folders: dict[str, Path], tmp_path: Path) -> None:
    save_file(additions.UNET, tmp_path / "unet.safetensors")
    with pytest.warns(UnusualPrompt, match="changes no text encoder, only the denoiser"):
        Conditioner(folders["sd1"], loras=[tmp_path / "unet.safetensors"])("a cat")


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"x": torch.zeros(2)}, "is no LoRA that can be read"),
        ({"lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_up.weight": torch.zeros(2, 2)}, "changes text_encoder_2, which"),
        (
            {"lora_te_text_model_encoder_layers_9_mlp_fc1.lora_up.weight": torch.zeros(2, 2)},
            "which the text encoder does not have",
        ),
        ({"lora_te_text_projection.lora_up.weight": torch.zeros(2, 2)}, "the text encoder does not have"),
        ({"lora_te_text_model_encoder_layers_0_mlp_fc1.hada_w1_a": torch.zeros(2, 2)}, "DoRA, LoHa, LoKr and biases are not"),
        (
            {"lora_te_text_model_encoder_layers_0_mlp_fc1.lora_up.weight": torch.zeros(2, 2)},
            "has up only; expected up and down",
        ),
        (
            {
                "text_encoder.text_model.encoder.layers.0.mlp.fc1.lora_A.weight": torch.zeros(2, 768),
                "text_encoder.text_model.encoder.layers.0.mlp.fc1.lora_B.weight": torch.zeros(3072, 2),
            },
            r"is \(3072, 2\) @ \(2, 768\), the layer's weight is \(16, 8\)",
        ),
        (
            {
                "lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight": torch.zeros(2, 8),
                "lora_te_text_model_encoder_layers_0_mlp_fc1.lora_up.weight": torch.zeros(16, 2),
                "lora_te_text_model_encoder_layers_0_mlp_fc1.alpha": torch.tensor(float("nan")),
            },
            "is no number",
        ),
        (
            {
                "lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight": torch.zeros(2, 8),
                "lora_te_text_model_encoder_layers_0_mlp_fc1.lora_up.weight": torch.zeros(16, 2),
                "lora_te_text_model_encoder_layers_0_mlp_fc1.alpha": torch.ones(3),
            },
            "is no number",
        ),
        (
            {
                "lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight": torch.zeros(0, 8),
                "lora_te_text_model_encoder_layers_0_mlp_fc1.lora_up.weight": torch.zeros(16, 0),
            },
            r"is \(16, 0\) @ \(0, 8\)",
        ),
        (
            {
                "lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight": torch.zeros(8),
                "lora_te_text_model_encoder_layers_0_mlp_fc1.lora_up.weight": torch.zeros(16, 1),
            },
            r"is \(16, 1\) @ \(8,\)",
        ),
        (
            {
                "lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight": torch.full((2, 8), float("inf")),
                "lora_te_text_model_encoder_layers_0_mlp_fc1.lora_up.weight": torch.ones(16, 2),
            },
            "are not finite numbers",
        ),
    ],
)
def test_a_lora_that_does_not_fit_is_refused(
    folders: dict[str, Path], tmp_path: Path, tensors: dict[str, torch.Tensor], message: str
) -> None:
    path = tmp_path / "a.safetensors"
    save_file(tensors, path)
    with pytest.raises(CheckpointError, match=message):
        Conditioner(folders["sd1"], loras=[path])


def test_a_scale_that_is_no_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="scale: expected a finite number, got nan"):
        read_lora(tmp_path / "a.safetensors", float("nan"))


# Files


def test_a_saved_conditioning_says_how_it_was_made(sdxl: Conditioner, tmp_path: Path) -> None:
    found = sdxl("a (cat:1.3)", "dog", clip_skip=1)
    found.save(tmp_path / "new" / "out.safetensors")
    stored = load_file(tmp_path / "new" / "out.safetensors")
    assert stored.keys() == found.tensors.keys()
    assert all(torch.equal(stored[name], tensor) for name, tensor in found.tensors.items())
    with safe_open(tmp_path / "new" / "out.safetensors", framework="pt") as file:
        header = file.metadata()
    assert header["family"] == "sdxl"
    assert header["clip_skip"] == "1"
    assert header["weights"] == '[{"text": "cat", "weight": 1.3}]'
    assert sdxl.encoders[0].fingerprint in header["fingerprint"]


def test_the_fingerprint_is_of_the_weights_not_of_the_file(folders: dict[str, Path], tmp_path: Path) -> None:
    again = generator(tmp_path / "again", "sd1")
    lora = additions.kohya_lora(tmp_path / "a.safetensors", "text_encoder", prefix="lora_te_")
    first, second = Conditioner(folders["sd1"])("a cat").fingerprint, Conditioner(again, loras=[lora])("a cat").fingerprint
    assert first == second


def test_a_file_without_text_encoders_is_refused(tmp_path: Path) -> None:
    unet = generator_files.write(generator_files.UNET, tmp_path / "unet.safetensors")
    with pytest.raises(CheckpointError, match="has no text encoder"):
        Conditioner(unet)
    lone = generator_files.random_state(64, 2, 49_408)
    half = generator_files.write(
        generator_files.nested(lone, "conditioner.embedders.0.transformer."), tmp_path / "half.safetensors"
    )
    with pytest.raises(CheckpointError, match="without its second text encoder"):
        Conditioner(half)
    (tmp_path / "text.safetensors").write_text("not a file of tensors", encoding="utf-8")
    for wrong in (tmp_path / "text.safetensors", tmp_path / "missing.safetensors"):
        with pytest.raises(CheckpointError):
            Conditioner(wrong)


def test_tiny_encoders_are_what_they_seem() -> None:
    tensors = state("text_encoder", projection=False)
    assert tensors["text_model.embeddings.token_embedding.weight"].shape == (vocabulary_size(), 8)
