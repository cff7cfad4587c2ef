"""The demo model in PyTorch beside ours: a training step of batch 4, and a picture in 20 steps.

    python bench/torch_demo.py target/release/wayword [ROUNDS]

PyTorch runs diffusers' UNet and VAE and transformers' text encoder in the sizes of
demo/wayword-mini.safetensors (demo/make/emoji_stage.py builds the same), with made weights: their
values cost nothing. All weights are frozen but one row, as in textual inversion. Both programs get
the same threads and take turns; PyTorch counts in its faster precision. Needs torch, diffusers and
transformers.
"""
import json, os, statistics, subprocess, sys, time

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

BASE = os.path.join(os.path.dirname(__file__), '..', 'demo', 'wayword-mini.safetensors')
THREADS, BATCH, STEPS, REPEATS = os.cpu_count() or 2, 4, 20, 5


class Row(torch.nn.Module):
    """The token table, frozen, with one row behind it that learns."""
    def __init__(self, table):
        super().__init__()
        self.table = table
        self.row = torch.nn.Parameter(table[320:321].clone())

    def forward(self, ids):
        new = (ids == len(self.table)).unsqueeze(-1)
        return torch.where(new, self.row, F.embedding(ids.clamp(max=len(self.table) - 1), self.table))


def models(dtype):
    torch.manual_seed(0)
    down = ('CrossAttnDownBlock2D',) * 3 + ('DownBlock2D',)
    up = ('UpBlock2D',) + ('CrossAttnUpBlock2D',) * 3
    unet = UNet2DConditionModel(sample_size=8, down_block_types=down, up_block_types=up, block_out_channels=(64, 96, 96, 64),
                                layers_per_block=2, attention_head_dim=8, cross_attention_dim=128, norm_num_groups=32)
    vae = AutoencoderKL(down_block_types=('DownEncoderBlock2D',) * 4, up_block_types=('UpDecoderBlock2D',) * 4,
                        block_out_channels=(64,) * 4, layers_per_block=2, latent_channels=4, norm_num_groups=32, sample_size=64)
    text = CLIPTextModel(CLIPTextConfig(vocab_size=49408, hidden_size=128, intermediate_size=512, num_hidden_layers=4,
                                        num_attention_heads=4, max_position_embeddings=77, hidden_act='quick_gelu'))
    parts = [m.to(dtype).eval().requires_grad_(False) for m in (unet, vae, text)]
    inner = getattr(text, 'text_model', text)
    inner.embeddings.token_embedding = row = Row(inner.embeddings.token_embedding.weight.detach())
    return parts, row


def step(dtype):
    (unet, _, text), row = models(dtype)
    optimizer = torch.optim.AdamW([row.row], lr=1e-3)
    latents, noise = torch.randn(2, BATCH, 4, 8, 8, dtype=dtype)
    ids = torch.full((BATCH, 77), 49407)
    ids[:, 0], ids[:, 1] = 49406, 49408
    times = torch.full((BATCH,), 500)

    def once():
        states = text(input_ids=ids).last_hidden_state
        loss = F.mse_loss(unet(latents, times, states).sample.float(), noise.float())
        loss.backward()
        torch.nn.utils.clip_grad_norm_([row.row], 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return loss.item()
    return once


def draw(dtype):
    (unet, vae, text), _ = models(dtype)
    ids = torch.full((2, 77), 49407)
    ids[:, 0] = 49406
    times = torch.linspace(999, 0, STEPS).long()

    @torch.no_grad()
    def once():
        states = text(input_ids=ids).last_hidden_state
        x = torch.randn(1, 4, 8, 8, dtype=dtype)
        for t in times:
            one, other = unet(torch.cat([x, x]), t, states).sample.chunk(2)
            x = x - 0.05 * (other + 7.0 * (one - other))
        picture = vae.decode(x / 0.18215).sample
        return ((picture / 2 + 0.5).clamp(0, 1) * 255).round().byte().numpy()
    return once


def seconds(once):
    once()
    all = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        once()
        all.append(time.perf_counter() - start)
    return statistics.median(all)


def ours(program, work):
    command = [program, 'bench', work, '--base', BASE, '--threads', str(THREADS), '--repeats', str(REPEATS), '--json']
    command += ['--batch', str(BATCH)] if work == 'step' else ['--steps', str(STEPS)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(run.stdout)['seconds']


def main():
    program, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 3
    torch.set_num_threads(THREADS)
    for work, make in [('step', step), ('draw', draw)]:
        peers = {str(dtype)[6:]: make(dtype) for dtype in (torch.float32, torch.bfloat16)}
        mine, theirs = [], {name: [] for name in peers}
        for _ in range(rounds):
            mine.append(ours(program, work))
            for name, once in peers.items():
                theirs[name].append(seconds(once))
        best, torch_seconds = min(((n, statistics.median(t)) for n, t in theirs.items()), key=lambda p: p[1])
        own = statistics.median(mine)
        print(f'{work}: torch {best} {torch_seconds * 1e3:.1f} ms, ours {own * 1e3:.1f} ms, ratio {torch_seconds / own:.2f}', flush=True)


if __name__ == '__main__':
    main()
