"""What generators are given for prompts, compared with diffusers, with compel and with the rule of A1111's web interface.

    python -m tests.parity.pipelines [--store]

The pipelines are those of tests/generation, the same in every environment. With transformers 4 diffusers' `clip_skip` is
compared, which its Stable Diffusion 1 and 2 cannot do with transformers 5.6 and later; with transformers 5 compel's weights and
long prompts. The rule of A1111 is written out here, by hand and in float64. `make test` compares ours with what --store put
into data/pipelines (tests/generation/test_stored_pipelines.py).
"""

import sys
import tempfile
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seesay.generation.conditioner import Conditioner
from tests.generation.pipelines import MAKERS
from tests.generation.prompt_cases import LONG, SKIPPED, SKIPS, STORED, WEIGHTED, Case, projections
from tests.generation.single_file import single_file

EXACT = 1e-5
PAINTERS = ("stable_diffusion_1", "stable_diffusion_2", "stable_diffusion_xl")


def main() -> None:
    import diffusers
    import transformers

    diffusers.utils.logging.set_verbosity_error()
    transformers.utils.logging.set_verbosity_error()
    failed = 0
    with tempfile.TemporaryDirectory() as place:
        for name in PAINTERS:
            folder = MAKERS[name](Path(place) / name)
            file = single_file(folder, Path(place) / f"{name}.safetensors")
            pipeline = diffusers.DiffusionPipeline.from_pretrained(folder)
            single = type(pipeline).from_single_file(str(file), config=str(folder), local_files_only=True)
            ours = {"folder": Conditioner(folder), "file": Conditioner(file)}
            groups = {"a1111": list(a1111(name, pipeline))}
            if int(transformers.__version__.split(".")[0]) < 5:
                groups["clip_skip"] = [*skips(name, "folder", pipeline), *skips(name, "file", single)]
            if find_spec("compel"):
                groups["compel"] = list(compel(name, pipeline))
            for group, cases in groups.items():
                failed += compared(group, name, cases, ours)
                store_or_check(STORED / f"{group}.npz", cases)
    if failed:
        raise SystemExit(f"{failed} cases differ by more than {EXACT:.0e}")


Expected = list[tuple[Case, dict[str, torch.Tensor]]]


def compared(group: str, name: str, cases: Expected, ours: dict[str, Conditioner]) -> int:
    """The number of cases in which ours differ from the reference; prints the largest difference."""
    worst, failed = 0.0, 0
    for case, expected in cases:
        for conditioner in ours.values() if case.source == "both" else [ours[case.source]]:
            found = case.of(conditioner)
            differences = [
                float((found[part] - value).abs().max()) if found[part].shape == value.shape else float("inf")
                for part, value in expected.items()
            ]
            worst = max(worst, *differences)
            if max(differences) > EXACT:
                failed += 1
                print(f"  {case.id}: differs by {max(differences):.1e}")
    print(f"{group}, {name}: {len(cases)} cases, differ by at most {worst:.1e}")
    return failed


def store_or_check(file: Path, cases: Expected) -> None:
    """Stores projections of the reference, or says where they differ from what is stored."""
    made = {
        f"{case.id}/{part}": projections(value.detach().numpy()) for case, expected in cases for part, value in expected.items()
    }
    stored = dict(np.load(file)) if file.is_file() else {}
    if "--store" in sys.argv:
        file.parent.mkdir(exist_ok=True)
        np.savez_compressed(file, **(stored | made))
        return
    for name, value in made.items():
        if name not in stored or not np.allclose(value, stored[name], atol=1e-4):
            raise SystemExit(f"{name} is not what {file} has; with --store it is stored anew")


def skips(name: str, source: str, pipeline: Any) -> Iterator[tuple[Case, dict[str, torch.Tensor]]]:
    """What the pipeline makes for every CLIP skip."""
    for prompt, negative in SKIPPED:
        for skip in SKIPS:
            settings = {"device": "cpu", "num_images_per_prompt": 1, "do_classifier_free_guidance": True, "clip_skip": skip}
            found = pipeline.encode_prompt(prompt, negative_prompt=negative, **settings)
            parts = ("prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds")
            yield Case(name, source, prompt, negative, clip_skip=skip, rule="none"), dict(zip(parts, found, strict=False))


def compel(name: str, pipeline: Any) -> Iterator[tuple[Case, dict[str, torch.Tensor]]]:
    """What compel makes of prompts in its own notation; its pooled embeddings are of the notation, and not compared."""
    from compel import Compel, ReturnedEmbeddingsType, SplitLongTextMode

    two = name == "stable_diffusion_xl"
    kinds = ReturnedEmbeddingsType
    layer = kinds.PENULTIMATE_HIDDEN_STATES_NON_NORMALIZED if two else kinds.LAST_HIDDEN_STATES_NORMALIZED
    parts = [("tokenizer", "text_encoder"), *([("tokenizer_2", "text_encoder_2")] if two else [])]
    for ours, theirs in [*WEIGHTED, *LONG]:
        embeds = []
        for tokenizer, encoder in parts:
            reader = Compel(
                tokenizer=getattr(pipeline, tokenizer),
                text_encoder=getattr(pipeline, encoder),
                returned_embeddings_type=layer,
                truncate_long_prompts=False,
                split_long_text_mode=SplitLongTextMode.PHRASES,
            )
            embeds.append(reader.build_conditioning_tensor(theirs))
        yield Case(name, "both", ours, None, rule="towards-empty"), {"prompt_embeds": torch.cat(embeds, dim=-1)}


def a1111(name: str, pipeline: Any) -> Iterator[tuple[Case, dict[str, torch.Tensor]]]:
    """Every vector times its token's weight, then all of a chunk scaled until its mean is what it was."""
    two = name == "stable_diffusion_xl"
    parts = [(pipeline.tokenizer, pipeline.text_encoder), *([(pipeline.tokenizer_2, pipeline.text_encoder_2)] if two else [])]
    for ours, fragments in A1111:
        embeds = []
        for tokenizer, encoder in parts:
            chunks = []
            for chunk in fragments:
                ids, weights = [tokenizer.bos_token_id], [1.0]
                for text, weight in chunk:
                    found = tokenizer(text, add_special_tokens=False).input_ids
                    ids, weights = ids + found, weights + [weight] * len(found)
                ids += [tokenizer.eos_token_id] + [tokenizer.pad_token_id] * (76 - len(ids))
                weights += [1.0] * (77 - len(weights))
                with torch.no_grad():
                    states = encoder(torch.tensor([ids]), output_hidden_states=True)
                z = (states.hidden_states[-2] if two else states.last_hidden_state)[0].double().numpy()
                weighted = z * np.array(weights)[:, None]
                chunks.append(weighted * (z.mean() / weighted.mean()))
            embeds.append(np.concatenate(chunks))
        value = torch.from_numpy(np.concatenate(embeds, axis=1)[None]).float()
        yield Case(name, "both", ours, None, rule="restore-mean"), {"prompt_embeds": value}


# A prompt, and its chunks as fragments with weights.
A1111: tuple[tuple[str, list[list[tuple[str, float]]]], ...] = (
    ("a (red:1.3) house", [[("a", 1), ("red", 1.3), ("house", 1)]]),
    ("((old)) [grey] town", [[("old", 1.1 * 1.1), ("grey", 1 / 1.1), ("town", 1)]]),
    ("a (dark (forest:1.5):0.5), fog", [[("a", 1), ("dark", 0.5), ("forest", 0.75), (", fog", 1)]]),
    ("sky BREAK (sea:0)", [[("sky", 1)], [("sea", 0)]]),
    (r"a \(calm\) (lake:1.21)", [[("a (calm)", 1), ("lake", 1.21)]]),
)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
