"""Prodigy that estimates its rate from every slice_p-th number, by prodigyopt, for golden/optim/prodigy_slices: the format of optim/traces.

usage: prodigy_slices.py OUT_DIR"""
import ast
import json
import sys
from importlib.metadata import version

import torch
from prodigyopt import Prodigy
from safetensors.torch import save_file

V, N, DIM, STEPS = 53, 3, 48, 14
CASES = {
    'prodigy_slice_11': ['slice_p=11', 'd0=1e-4'],
    'prodigy_slice_7_decay': ['slice_p=7', 'd0=1e-4', 'weight_decay=0.02', 'decouple=False', 'growth_rate=1.5'],
    'prodigy_slice_5_safe': ['slice_p=5', 'd0=1e-4', 'd_coef=2', 'use_bias_correction=True', 'safeguard_warmup=True', 'weight_decay=0.05'],
    'prodigy_slice_1': ['slice_p=1', 'd0=1e-4'],
}
torch.manual_seed(11)
init = (torch.randn(V + N, DIM) * 0.02).half()
# Each row is pulled one way with noise on it; of the frozen rows a few move each step, as captions' words do.
pull = torch.randn(V + N, DIM)
grads = torch.zeros(STEPS, V + N, DIM)
for k in range(STEPS):
    rows = torch.cat([torch.randperm(V)[:8], torch.arange(V, V + N)])
    grads[k, rows] = (pull[rows] + 0.5 * torch.randn(len(rows), DIM)) * 2e-3
grads = grads.half()
tensors, cases = {'init': init, 'grads': grads}, []
for name, args in CASES.items():
    table = torch.nn.Parameter(init.float())
    options = {k: ast.literal_eval(v) for k, v in (a.split('=') for a in args)}
    optimizer = Prodigy([table], lr=1.0, **options)
    rows, d = [], []
    for k in range(STEPS):
        table.grad = grads[k].float()
        optimizer.step()
        with torch.no_grad():
            table[:V] = init[:V].float()
        rows.append(table[V:].detach().clone())
        d.append(float(optimizer.param_groups[0]['d']))
    tensors[name] = torch.stack(rows)
    cases.append(dict(name=name, optimizer_type='Prodigy', optimizer_args=args, learning_rate=1.0, lr=[1.0] * STEPS, d_after_step=d))
about = dict(about='as traces.json; all columns are kept', V=V, N=N, dim=DIM, steps=STEPS, clipping='none',
             versions={p: version(p) for p in ('torch', 'prodigyopt')}, cases=cases)
save_file(tensors, f'{sys.argv[1]}/prodigy_slices.safetensors')
with open(f'{sys.argv[1]}/prodigy_slices.json', 'w') as f:
    json.dump(about, f, indent=1)
    f.write('\n')
