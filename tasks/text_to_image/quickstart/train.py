"""Train the quickstart's text-to-image pipeline and its scorer, and save their weights."""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from networks import (
    CHANNELS,
    LATENT,
    Decoder,
    Denoiser,
    Encoder,
    Scorer,
    TextEncoder,
    kept_share,
    time_embedding,
    token_mask,
)  # fmt: skip
from shapes import CAPTIONS, caption_tokens, sample, token_ids
from torch import nn
from torch.nn import functional as F  # noqa: N812  its usual name

Tensor = torch.Tensor

POOL = 24_000
"""Pictures to train with."""
DROPPED = 0.1
"""Share of captions replaced by the empty one, so that the denoiser learns to do without (classifier-free guidance,
Ho and Salimans, arXiv:2207.12598)."""
MEAN_OF = 0.999
"""Decay of the running mean of the denoiser's weights, which is what is exported."""


def fit(
    what: str, modules: Iterable[nn.Module], loss: Callable[[], Tensor], steps: int, rate: float,
    after: Callable[[], None] = lambda: None,
) -> float:  # fmt: skip
    """Minimise ``loss`` with AdamW, whose rate rises for 100 steps and then falls to 0; returns the last mean loss."""
    parameters = [each for module in modules for each in module.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=rate, weight_decay=1e-4)
    mean, begun = 0.0, time.process_time()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1.0, step / 100) * (1 - step / steps)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            value = loss()
        optimizer.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        after()
        mean = value.item() if step == 0 else 0.99 * mean + 0.01 * value.item()
        if step % 500 == 499:
            seconds = time.process_time() - begun
            print(f"{what}: step {step + 1}/{steps} loss {mean:.4f} ({seconds:.0f} s of processor time)", flush=True)
    return mean


def scorer_loss(scorer: Scorer, tokens: Tensor, seen: Tensor, captions: Tensor) -> Tensor:
    """CLIP's loss: each picture belongs to the rows with its caption, and to no other."""
    ids = tokens[captions]
    logits = scorer.see(seen).float() @ scorer.read(ids, token_mask(ids)).float().T * scorer.heat.exp()
    same = (captions[:, None] == captions[None]).float()
    wanted = same / same.sum(1, keepdim=True)
    return (F.cross_entropy(logits, wanted) + F.cross_entropy(logits.T, wanted)) / 2


def main() -> None:
    """Train, and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="file for the weights")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--share", type=float, default=1.0, help="share of the training steps, to try the script")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    random = torch.Generator().manual_seed(arguments.seed)

    def steps(count: int) -> int:
        return max(200, round(count * arguments.share))

    tokens = caption_tokens()
    trained_on = torch.tensor([number for number, each in enumerate(CAPTIONS) if not each.is_test])
    captions, images = sample(POOL, random, trained_on)
    encoder, decoder, scorer, text, denoiser = (
        each().to(memory_format=torch.channels_last) for each in (Encoder, Decoder, Scorer, TextEncoder, Denoiser)
    )

    def some(size: int, among: int = POOL) -> Tensor:
        return torch.randint(0, among, (size,), generator=random)

    def rebuilt() -> Tensor:
        chosen = images[some(32)]
        z = encoder(chosen)
        back = decoder(z + torch.randn(z.shape, generator=random) * 0.1).float()
        return F.mse_loss(back, chosen) + 0.1 * F.l1_loss(back, chosen)

    fit("autoencoder", [encoder, decoder], rebuilt, steps(4000), 2e-3)
    with torch.no_grad():
        latents = torch.cat([encoder(part) for part in images.split(500)])
    scale = 1 / latents.std()
    latents *= scale

    all_captions, all_images = sample(POOL, random)
    with torch.no_grad():
        coded = torch.cat([decoder(encoder(part)) for part in all_images.split(500)])

    def told_apart() -> Tensor:
        chosen = some(160)
        mixed = torch.rand(160, 1, 1, 1, generator=random)
        shown = all_images[chosen] * mixed + coded[chosen] * (1 - mixed)
        shown = shown + torch.randn(shown.shape, generator=random) * 0.15
        return scorer_loss(scorer, tokens, shown, all_captions[chosen])

    fit("scorer", [scorer], told_apart, steps(2000), 2e-3)

    kept, empty = kept_share(), torch.tensor([token_ids("")])
    mean_text, mean_denoiser = copy.deepcopy(text), copy.deepcopy(denoiser)

    def denoised() -> Tensor:
        chosen = some(64)
        noise = torch.randn(64, CHANNELS, LATENT, LATENT, generator=random)
        step = torch.randint(0, 1000, (64,), generator=random)
        share = kept[step][:, None, None, None]
        noisy = share.sqrt() * latents[chosen] + (1 - share).sqrt() * noise
        ids = torch.where(torch.rand(64, 1, generator=random) < DROPPED, empty, tokens[captions[chosen]])
        return F.mse_loss(denoiser(noisy, text(ids), time_embedding(step)).float(), noise)

    seen = 0

    def keep_mean() -> None:
        nonlocal seen
        seen += 1
        decay = min(MEAN_OF, (1 + seen) / (10 + seen))
        with torch.no_grad():
            for mean, module in ((mean_text, text), (mean_denoiser, denoiser)):
                for average, value in zip(mean.parameters(), module.parameters(), strict=True):
                    average.lerp_(value, 1 - decay)

    fit("denoiser", [text, denoiser], denoised, steps(9000), 2e-3, keep_mean)
    modules = {"encoder": encoder, "decoder": decoder, "text_encoder": mean_text, "denoiser": mean_denoiser}
    modules |= {"scorer": scorer}
    state = {name: module.state_dict() for name, module in modules.items()}
    torch.save(state | {"scale": scale, "seed": arguments.seed}, arguments.output)


if __name__ == "__main__":
    main()
