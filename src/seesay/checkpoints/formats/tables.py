"""The names of towers in the formats of the CLIP family, as tables for `names.account`.

Several formats share tables: OpenAI's names live on in OpenCLIP and Chinese-CLIP, BERT's in everything that has a BERT.
"""

from seesay.checkpoints.names import Row, Table, ignored, layer, nested, row


def _qkv(theirs: str, ours: str) -> Table:
    """torch's fused input projection."""
    return tuple(
        row(f"{theirs}_{part}", *(f"{ours}.{kind}.{part}" for kind in ("query", "key", "value")), how="stack")
        for part in ("weight", "bias")
    )


OPENAI_BLOCK: Table = (
    *layer("ln_1", "norm1"),
    *_qkv("attn.in_proj", "attention"),
    *layer("attn.out_proj", "attention.out"),
    *layer("ln_2", "norm2"),
    *layer("mlp.c_fc", "mlp.up"),
    *layer("mlp.c_proj", "mlp.down"),
    row("ls_1.gamma", "scale1.weight"),
    row("ls_2.gamma", "scale2.weight"),
    # cn_clip run with flash attention names the fused projection otherwise
    *(
        row(f"attn.Wqkv.{p}", *(f"attention.{k}.{p}" for k in ("query", "key", "value")), how="stack")
        for p in ("weight", "bias")
    ),
)

OPENAI_VIT: Table = (
    row("conv1.weight", "patch_embedding.weight"),
    row("class_embedding", "class_embedding"),
    row("positional_embedding", "position_embedding"),
    *layer("ln_pre", "norm_before"),
    *nested(OPENAI_BLOCK, "transformer.resblocks.{}.", "blocks.{}."),
    *layer("ln_post", "norm_after"),
    row("proj", "projection.weight", how="transpose"),
)


def _norm(theirs: str, ours: str) -> Table:
    """A batch norm."""
    parts = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    return tuple(row(f"{theirs}.{part}", f"{ours}.{part}") for part in parts)


def _stage(number: int) -> Table:
    block: list[Row] = []
    for conv in (1, 2, 3):
        block += [row(f"conv{conv}.weight", f"conv{conv}.conv.weight"), *_norm(f"bn{conv}", f"conv{conv}.norm")]
    block += [row("downsample.0.weight", "shortcut.conv.weight"), *_norm("downsample.1", "shortcut.norm")]
    return nested(tuple(block), f"layer{number + 1}.{{}}.", f"stages.{number}.{{}}.")


OPENAI_RESNET: Table = (
    *(
        r
        for i in range(3)
        for r in (row(f"conv{i + 1}.weight", f"stem.{i}.conv.weight"), *_norm(f"bn{i + 1}", f"stem.{i}.norm"))
    ),
    *(r for number in range(4) for r in _stage(number)),
    row("attnpool.positional_embedding", "pool.position_embedding"),
    *layer("attnpool.q_proj", "pool.query"),
    *layer("attnpool.k_proj", "pool.key"),
    *layer("attnpool.v_proj", "pool.value"),
    *layer("attnpool.c_proj", "pool.out"),
)

OPENAI_TEXT: Table = (
    row("token_embedding.weight", "token_embedding.weight"),
    row("positional_embedding", "position_embedding"),
    *nested(OPENAI_BLOCK, "transformer.resblocks.{}.", "blocks.{}."),
    *layer("ln_final", "norm_after"),
    row("text_projection", "projection.weight", how="transpose"),
    row("text_projection.weight", "projection.weight"),
)

SCALE: Table = (row("logit_scale", "logit_scale", how="scalar"), row("logit_bias", "logit_bias", how="scalar"))

BERT: Table = (
    row("embeddings.word_embeddings.weight", "embeddings.word.weight"),
    row("embeddings.position_embeddings.weight", "embeddings.position.weight"),
    row("embeddings.token_type_embeddings.weight", "embeddings.token_type.weight"),
    *layer("embeddings.LayerNorm", "embeddings.norm"),
    ignored("embeddings.position_ids", "the numbers 0, 1, 2, ..."),
    ignored("embeddings.token_type_ids", "zeros"),
    *nested(
        (
            *layer("attention.self.query", "attention.query"),
            *layer("attention.self.key", "attention.key"),
            *layer("attention.self.value", "attention.value"),
            *layer("attention.output.dense", "attention.out"),
            *layer("attention.output.LayerNorm", "norm1"),
            *layer("intermediate.dense", "mlp.up"),
            *layer("output.dense", "mlp.down"),
            *layer("output.LayerNorm", "norm2"),
            # cn_clip run with flash attention
            *(
                row(f"attention.self.Wqkv.{p}", *(f"attention.{k}.{p}" for k in ("query", "key", "value")), how="stack")
                for p in ("weight", "bias")
            ),
            *layer("attention.self.out_proj", "attention.out"),
        ),
        "encoder.layer.{}.",
        "blocks.{}.",
    ),
)
BERT_POOLER: Table = layer("pooler.dense", "pooler")

HF_BLOCK: Table = (
    *layer("layer_norm1", "norm1"),
    *layer("self_attn.q_proj", "attention.query"),
    *layer("self_attn.k_proj", "attention.key"),
    *layer("self_attn.v_proj", "attention.value"),
    *layer("self_attn.out_proj", "attention.out"),
    *layer("layer_norm2", "norm2"),
    *layer("mlp.fc1", "mlp.up"),
    *layer("mlp.fc2", "mlp.down"),
)

HF_VISION: Table = (
    row("embeddings.class_embedding", "class_embedding"),
    row("embeddings.patch_embedding.weight", "patch_embedding.weight"),
    row("embeddings.position_embedding.weight", "position_embedding"),
    ignored("embeddings.position_ids", "the numbers 0, 1, 2, ..."),
    *layer("pre_layrnorm", "norm_before"),  # sic
    *nested(HF_BLOCK, "encoder.layers.{}.", "blocks.{}."),
    *layer("post_layernorm", "norm_after"),
)

HF_TEXT: Table = (
    row("embeddings.token_embedding.weight", "token_embedding.weight"),
    row("embeddings.position_embedding.weight", "position_embedding"),
    ignored("embeddings.position_ids", "the numbers 0, 1, 2, ..."),
    *nested(HF_BLOCK, "encoder.layers.{}.", "blocks.{}."),
    *layer("final_layer_norm", "norm_after"),
)
