"""Text-to-image pipelines: text encoder, denoiser and decoder, driven by guided DDIM steps."""
