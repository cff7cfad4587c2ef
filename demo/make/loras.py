"""LoRAs of concept folders for the bundled model, with kohya's keys: attention layers of the U-Net, rank 4, fp16.

  python loras.py --model ../wayword-mini.safetensors --out ../loras "../concepts/100_pascoe man" ...
  python loras.py --seed 6 --end=-b "../concepts/100_tamsyn woman"      a second one, to be used with the first
The caption is a template around what --about names, in equal shares: "trigger" is "NAME CLASS", "class" the class word alone, "any" a name
of that class that the model knows, which makes the LoRA work beside whatever word stands there. A minute or two each on two CPU cores."""
import argparse, os, random, time
import torch, torch.nn.functional as F
import cast as names
from safetensors.torch import save_file
from emoji_stage import SF, AC, TI_OBJ, open_ldm
from train import TOK
from check import folder, to_t


class Change(torch.nn.Module):
    """up(down(x)) beside a frozen layer"""
    def __init__(self, layer, rank):
        super().__init__()
        self.down = torch.nn.Parameter(torch.randn(rank, layer.in_features) / layer.in_features ** .5)
        self.up = torch.nn.Parameter(torch.zeros(layer.out_features, rank))
        layer.register_forward_hook(lambda _, x, y: y + self.scale * (x[0] @ self.down.T @ self.up.T))
    scale = 1.


def main(a):
    from transformers import CLIPTokenizer
    torch.set_num_threads(a.threads); tok = CLIPTokenizer.from_pretrained(TOK); os.makedirs(a.out, exist_ok=True)
    ids = lambda s: tok(s, padding='max_length', max_length=77, truncation=True).input_ids
    for spec in a.concepts:
        u, t, v = open_ldm(a.model, a); torch.manual_seed(a.seed); rng = random.Random(a.seed); t0 = time.time()
        name, kind = os.path.basename(os.path.normpath(spec)).split('_', 1)[1].rsplit(' ', 1)
        net = {k: Change(m, a.rank) for k, m in u.named_modules() if isinstance(m, torch.nn.Linear) and ('.attn1.' in k or '.attn2.' in k)}
        P = [p for m in net.values() for p in m.parameters()]; opt = torch.optim.AdamW(P, a.lr, weight_decay=.01)
        with torch.no_grad():
            lat = v.encode(to_t(folder(spec))).latent_dist.mean * SF
            known = [n for n, k in names.cast().items() if k == kind]
            about = dict(trigger=lambda: f'{name} {kind}', any=lambda: rng.choice(known)); about['class'] = lambda: kind
            C = [t(torch.tensor([ids(s.format(about[w]())) for s in TI_OBJ * (8 if w == 'any' else 1)])).last_hidden_state for w in a.about]
        mean = 0.
        for s in range(1, a.steps + 1):
            for g in opt.param_groups: g['lr'] = a.lr * min(1, s / 20) * (1 - .9 * s / a.steps)
            k = torch.randint(len(lat), (a.bs,)); c = torch.stack([rng.choice(rng.choice(C)) for _ in range(a.bs)])
            tt = torch.randint(0, 1000, (a.bs,)); e = torch.randn(lat[k].shape); ab = AC[tt].view(-1, 1, 1, 1)
            l = F.mse_loss(u(ab.sqrt() * lat[k] + (1 - ab).sqrt() * e, tt, c).sample, e); opt.zero_grad(); l.backward(); opt.step()
            mean = l.item() if s == 1 else .98 * mean + .02 * l.item()
            if s % 100 == 0: print(f'{name} {s} {time.time()-t0:.0f}s loss {mean:.4f}', flush=True)
        sd = {}
        for k, m in net.items():
            key = 'lora_unet_' + k.replace('.', '_')
            sd[key + '.lora_down.weight'] = m.down.detach().half().contiguous(); sd[key + '.lora_up.weight'] = m.up.detach().half().contiguous(); sd[key + '.alpha'] = torch.tensor(float(a.rank)).half()
        save_file(sd, os.path.join(a.out, f'{name}-lora{a.end}.safetensors'), {'format': 'pt', 'ss_output_name': f'{name}-lora{a.end}', 'ss_network_module': 'networks.lora', 'ss_network_dim': str(a.rank), 'ss_network_alpha': str(a.rank), 'ss_base_model_version': 'sd_v1', 'modelspec.title': f'{name}-lora{a.end}', **({'modelspec.trigger_phrase': f'{name} {kind}'} if 'trigger' in a.about else {}), 'modelspec.license': 'MIT OR Apache-2.0'})
if __name__ == '__main__':
    ap = argparse.ArgumentParser(); ap.add_argument('concepts', nargs='+'); ap.add_argument('--model', default='../wayword-mini.safetensors'); ap.add_argument('--out', default='../loras'); ap.add_argument('--steps', type=int, default=800); ap.add_argument('--lr', type=float, default=2e-3); ap.add_argument('--bs', type=int, default=8); ap.add_argument('--rank', type=int, default=4); ap.add_argument('--seed', type=int, default=5); ap.add_argument('--end', default=''); ap.add_argument('--about', nargs='+', default=['any', 'class'], choices=['trigger', 'class', 'any']); ap.add_argument('--threads', type=int, default=2)
    ap.add_argument('--size', type=int, default=64); ap.add_argument('--vae-widths', type=int, nargs=4, default=[64] * 4); ap.add_argument('--unet-widths', type=int, nargs=4, default=[64, 96, 96, 64]); ap.add_argument('--text-hidden', type=int, default=128); ap.add_argument('--text-layers', type=int, default=4); ap.add_argument('--text-heads', type=int, default=4); ap.add_argument('--device', default='cpu')
    main(ap.parse_args())
