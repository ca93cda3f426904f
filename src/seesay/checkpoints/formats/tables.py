"""Tables of tensor names that several formats share: OpenAI's towers, BERT, and the logits' scale and bias.

OpenAI's names are used by OpenCLIP and Chinese-CLIP too, BERT's by every format with a BERT text tower.
"""

from collections.abc import Collection

from seesay.checkpoints.names import Row, Table, ignored, layer, nested, row


def qkv(foreign: str, native: str) -> Table:
    """Rows for a fused input projection of attention, of whose names `foreign` is the beginning."""
    return tuple(
        row(f"{foreign}{part}", *(f"{native}.{kind}.{part}" for kind in ("query", "key", "value")), how="stack")
        for part in ("weight", "bias")
    )


OPENAI_BLOCK: Table = (
    *layer("ln_1", "norm1"),
    *qkv("attn.in_proj_", "attention"),
    *layer("attn.out_proj", "attention.out"),
    *layer("ln_2", "norm2"),
    *layer("mlp.c_fc", "mlp.up"),
    *layer("mlp.c_proj", "mlp.down"),
    row("ls_1.gamma", "scale1.weight"),
    row("ls_2.gamma", "scale2.weight"),
    # cn_clip run with flash attention names the fused projection otherwise
    *qkv("attn.Wqkv.", "attention"),
)

OPENAI_VIT: Table = (
    row("conv1.weight", "patch_embedding.weight"),
    row("class_embedding", "class_embedding"),
    row("positional_embedding", "position_embedding"),
    *layer("ln_pre", "norm_before"),
    *nested(OPENAI_BLOCK, "transformer.resblocks.{}.", "blocks.{}."),
    *layer("ln_post", "norm_after"),
    row("proj", "projection.weight", how="transpose"),
    # CoCa's pooling; where the tokens are as wide as its queries, the three projections are fused
    row("attn_pool.query", "attention_pool.query"),
    *layer("attn_pool.ln_q", "attention_pool.norm_query"),
    *layer("attn_pool.ln_k", "attention_pool.norm_key"),
    *qkv("attn_pool.attn.in_proj_", "attention_pool.attention"),
    row("attn_pool.attn.q_proj_weight", "attention_pool.attention.query.weight"),
    row("attn_pool.attn.k_proj_weight", "attention_pool.attention.key.weight"),
    row("attn_pool.attn.v_proj_weight", "attention_pool.attention.value.weight"),
    *layer("attn_pool.attn.out_proj", "attention_pool.attention.out"),
)


def _norm(foreign: str, native: str) -> Table:
    """Rows for a batch norm."""
    parts = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    return tuple(row(f"{foreign}.{part}", f"{native}.{part}") for part in parts)


def _stage(number: int) -> Table:
    """Rows for one of the ResNet's four stages of bottleneck blocks."""
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
    row("cls_emb", "class_embedding"),
    *nested(OPENAI_BLOCK, "transformer.resblocks.{}.", "blocks.{}."),
    *layer("ln_final", "norm_after"),
    row("text_projection", "projection.weight", how="transpose"),
    *layer("text_projection", "projection"),
)

SCALE: Table = (row("logit_scale", "logit_scale", how="scalar"), row("logit_bias", "logit_bias", how="scalar"))

BERT_BLOCK: Table = (
    *layer("attention.self.query", "attention.query"),
    *layer("attention.self.key", "attention.key"),
    *layer("attention.self.value", "attention.value"),
    *layer("attention.output.dense", "attention.out"),
    *layer("attention.output.LayerNorm", "norm1"),
    *layer("intermediate.dense", "mlp.up"),
    *layer("output.dense", "mlp.down"),
    *layer("output.LayerNorm", "norm2"),
    # cn_clip run with flash attention
    *qkv("attention.self.Wqkv.", "attention"),
    *layer("attention.self.out_proj", "attention.out"),
)
BERT: Table = (
    row("embeddings.word_embeddings.weight", "embeddings.word.weight"),
    row("embeddings.position_embeddings.weight", "embeddings.position.weight"),
    row("embeddings.token_type_embeddings.weight", "embeddings.token_type.weight"),
    *layer("embeddings.LayerNorm", "embeddings.norm"),
    ignored("embeddings.position_ids", "the numbers 0, 1, 2, ..."),
    ignored("embeddings.token_type_ids", "zeros"),
    *nested(BERT_BLOCK, "encoder.layer.{}.", "blocks.{}."),
)
BERT_POOLER: Table = layer("pooler.dense", "pooler")
POOLER_UNUSED: Table = (
    ignored("pooler.dense.weight", "the first token is taken without BERT's pooler"),
    ignored("pooler.dense.bias", "the first token is taken without BERT's pooler"),
)
# CoCa's decoder
_DECODER = "the decoder, which writes captions and takes no part in embeddings"
_DECODER_BLOCK: Table = (
    *(
        ignored(f"{layer}.{part}", _DECODER)
        for layer in ("ln_1", "ln_1_kv", "ln_2", "attn.out_proj", "mlp.c_fc", "mlp.c_proj")
        for part in ("weight", "bias")
    ),
    *(ignored(name, _DECODER) for name in ("attn.in_proj_weight", "attn.in_proj_bias", "ls_1.gamma", "ls_2.gamma")),
)
DECODER_UNUSED: Table = (
    *nested(_DECODER_BLOCK, "text_decoder.resblocks.{}."),
    *nested(_DECODER_BLOCK, "text_decoder.cross_attn.{}."),
    *(
        ignored(f"text_decoder.{name}", _DECODER)
        for name in ("ln_final.weight", "ln_final.bias", "text_projection", "attn_mask")
    ),
)
TEXT_LINEAR = row("text_projection", "text.projection.weight", how="transpose")
MASKS: Table = (
    ignored("attn_mask", "the causal mask"),
    ignored("transformer.resblocks.{}.attn_mask", "the causal mask"),
    ignored("text.attn_mask", "the causal mask"),
)
NUMBERS: Table = tuple(
    ignored(name, "a number that the shapes show") for name in ("input_resolution", "context_length", "vocab_size")
)
_VIT = nested(OPENAI_VIT, "visual.", "image.")
_RESNET = nested(OPENAI_RESNET, "visual.", "image.")
OPENAI_BOTH: Table = (*nested(OPENAI_TEXT, "", "text."), *NUMBERS, *MASKS, *SCALE)
RESNET_MARK = "visual.attnpool.positional_embedding"


def openai_image(names: Collection[str]) -> Table:
    """OpenAI's image tower, a ViT or a ResNet: the two share names ("visual.conv1") for different tensors."""
    return _RESNET if RESNET_MARK in names else _VIT


def openai_names(names: Collection[str]) -> Table:
    """OpenAI's two towers, also used by OpenCLIP's native models."""
    return OPENAI_BOTH + openai_image(names)
