"""DPM++ 2M on the mixture model of the topic samplers in exact arithmetic (f64), against the stored finals.

Shows which finals of the topic the peer's own rounding decides: the levels are the file's, the model's
step number is rounded to f32 as the model takes it or left exact. Needs numpy and safetensors.
usage: exact_samplers.py GOLDEN"""
import json
import sys

import numpy as np
from safetensors.numpy import load_file

golden = sys.argv[1].rstrip('/')
cases = json.load(open(f'{golden}/samplers/cases.json'))['cases']
tensors = load_file(f'{golden}/samplers/analytic.safetensors')
logs = load_file(f'{golden}/sigmas/sigmas.safetensors')['model.log_sigmas'].astype(np.float64)


def level_of(t):
    low, high = int(np.floor(t)), int(np.ceil(t))
    share = t - low
    return np.exp((1 - share) * logs[low] + share * logs[high])


def step_of(level):
    place = int(np.clip(np.searchsorted(logs, np.log(level), side='right') - 1, 0, len(logs) - 2))
    share = (np.log(level) - logs[place]) / (logs[place + 1] - logs[place])
    return place + np.clip(share, 0, 1)


def clean(x, level, c):
    centre = 0.15 * np.arange(4).reshape(1, 4, 1, 1)
    means, width = [m + centre for m in (-1.5, 0.2, 1.1)], 0.25**2
    total = width + level**2
    logits = np.stack([lean - (x - m) ** 2 / (2 * total) for lean, m in zip((c, 0, -c), means)])
    shares = np.exp(logits - logits.max(0))
    shares /= shares.sum(0)
    return sum(r * (x * width + m * level**2) / total for r, m in zip(shares, means))


def denoised(x, level, scale, rounded):
    t = step_of(level)
    seen = level_of(np.float64(np.float32(t)) if rounded else t)
    x_in = x / np.sqrt(level**2 + 1) * np.sqrt(seen**2 + 1)
    with_prompt, without = (
        x - level * (x_in - clean(x_in, seen, np.float64(np.float32(c)))) / seen for c in (1.5, -0.7)
    )
    return without + scale * (with_prompt - without)


for case in cases:
    name = case['id']
    plain = case.get('conds') == 'plain' and not case.get('masked') and not case.get('denoise')
    if case['model'] != 'analytic' or case['sampler'] != 'DPM++ 2M' or case.get('error') or not plain:
        continue
    levels = np.ravel([np.ravel(v)[0] for v in case['sigma_or_timestep_per_call']]).astype(np.float64)
    # KL Optimal's list does not end at zero, which the calls alone do not tell.
    if case.get('schedule') == 'KL Optimal' or case['steps'] < 3 or case.get('options') or f'{name}.final' not in tensors:
        continue
    found = []
    for rounded in (True, False):
        x, before, last = tensors[f'{name}.noise0'].astype(np.float64) * levels[0], None, None
        for level, to in zip(levels, np.append(levels[1:], 0)):
            now = denoised(x, level, case.get('cfg', 7), rounded)
            if to == 0:
                x = now
                break
            h = np.log(level / to)
            lean = 0 if before is None else h / (2 * last)
            mixed = now if before is None else (1 + lean) * now - lean * before
            x, before, last = to / level * x + (1 - to / level) * mixed, now, h
        found.append(abs(x - tensors[f'{name}.final']).max())
    print(f"{name} {case.get('schedule') or 'Automatic'}, {case['steps']} steps, cfg {case.get('cfg', 7)}: "
          f'step number in f32 {found[0]:.1e}, exact {found[1]:.1e}')
