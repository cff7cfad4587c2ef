"""PyTorch's noise for the topic lora in f32 and f64, from the topic's own weights and states.

Shows which `eps` of the topic the peer's own rounding decides. Two kinds: `eps_base_cond` with the stored
effective weights, and `eps_own_cond` of the bare base, whose states are made here (their first 40 rows are
compared with the stored ones). Needs torch, diffusers, transformers, and the whole tree (tiny-model/diffusers).
usage: exact_lora.py GOLDEN CLIP_FOLDER   (CLIP_FOLDER: vocab.json and merges.txt)"""
import json
import sys

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file
from transformers import CLIPTextModel, CLIPTokenizer

golden, clip = sys.argv[1].rstrip('/'), sys.argv[2]
expected = load_file(f'{golden}/lora/expected.safetensors')
cases = json.load(open(f'{golden}/lora/cases.json'))['cases']
table = json.load(open(f'{golden}/lora/sd15_key_map.json'))
rows = table if isinstance(table, list) else next(v for v in table.values() if isinstance(v, list))
named = {row['a1111_layer_name']: row['diffusers'] for row in rows}
x, t = expected['x'], expected['t']


def model(dtype):
    return UNet2DConditionModel.from_pretrained(f'{golden}/tiny-model/diffusers/unet', torch_dtype=dtype).eval()


def off(ours, name):
    return ((ours - expected[name]).abs().max() / expected[name].abs().max()).item()


with torch.no_grad():
    for case in cases:
        prefix = f"c{case['id']}.W."
        layers = [key for key in expected if key.startswith(prefix)]
        name = f"c{case['id']}.eps_base_cond"
        if name not in expected or not layers or len(layers) != case['changed']:
            continue
        found = []
        for dtype in (torch.float32, torch.float64):
            unet = model(dtype)
            weights = unet.state_dict()
            for key in layers:
                layer, kind = key[len(prefix):].rsplit('.', 1)
                target = f"{named.get(layer, '')}.{kind}".removeprefix('unet.')
                if target in weights:
                    weights[target].copy_(expected[key].reshape(weights[target].shape))
            base = expected['cond.base'].to(dtype).reshape(1, 77, -1)
            found.append(off(unet(x.to(dtype), t.to(dtype), base).sample, name))
        print(f"{case['tags']} base states: f32 {found[0]:.1e}, f64 {found[1]:.1e}")

    words = CLIPTokenizer(f'{clip}/vocab.json', f'{clip}/merges.txt')
    for case in cases:
        name = f"c{case['id']}.eps_own_cond"
        before, bracket, rest = case['prompt'].partition('(')
        if case['tags'] or name not in expected or not bracket:
            continue
        heavy, _, after = rest.partition(':')
        weight, _, after = after.partition(')')
        parts = [words(p, add_special_tokens=False).input_ids for p in (before, heavy, after)]
        ids = [49406, *parts[0], *parts[1], *parts[2]]
        ids += [49407] * (77 - len(ids))
        for dtype in (torch.float32, torch.float64):
            folder = f'{golden}/tiny-model/diffusers/text_encoder'
            text = CLIPTextModel.from_pretrained(folder, torch_dtype=dtype).eval()
            plain = text(torch.tensor([ids])).last_hidden_state
            factors = torch.ones(77, dtype=dtype)
            factors[1 + len(parts[0]): 1 + len(parts[0]) + len(parts[1])] = float(weight)
            heavy_states = plain * factors[None, :, None]
            states = heavy_states * (plain.mean() / heavy_states.mean())
            stored = expected[f"c{case['id']}.cond"].reshape(-1, states.shape[-1])
            rows_off = ((states[0, : len(stored)] - stored).abs().max() / stored.abs().max()).item()
            eps = model(dtype)(x.to(dtype), t.to(dtype), states).sample
            print(f"{case['prompt']}, bare, {dtype}: stored rows {rows_off:.1e}, noise {off(eps, name):.1e}")
