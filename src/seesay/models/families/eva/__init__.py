"""EVA-CLIP's image towers: Vision Transformers with rotary positions, gated MLPs and norms inside the branches."""
