"""Latents of the tiny model read as one that predicts velocity, by diffusers' own schedulers, for golden/v-prediction.

Only samplers whose levels and step numbers diffusers has as k-diffusion has them: Euler and Heun on Karras levels (their step
numbers are interpolated in the logarithm), DDIM on the web UI's steps (it stops before the last).
usage: v_prediction.py SHARED_GOLDEN_DIR CLIP_VOCABULARY_DIR OUT_DIR"""
import json
import sys

import diffusers
import torch
import transformers
from diffusers import DDIMScheduler, EulerDiscreteScheduler, HeunDiscreteScheduler, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextModel, CLIPTokenizer

golden, vocabulary, out = sys.argv[1:4]
torch.set_num_threads(1)
folder = golden + '/tiny-model/diffusers/'
unet = UNet2DConditionModel.from_pretrained(folder + 'unet', torch_dtype=torch.float32).eval().requires_grad_(False)
text = CLIPTextModel.from_pretrained(folder + 'text_encoder', torch_dtype=torch.float32).eval().requires_grad_(False)
tokenizer = CLIPTokenizer.from_pretrained(vocabulary, pad_token='<|endoftext|>')
TRAINED = dict(num_train_timesteps=1000, beta_start=0.00085, beta_end=0.012, beta_schedule='scaled_linear', prediction_type='v_prediction')
LEVELS = dict(TRAINED, timestep_spacing='linspace', use_karras_sigmas=True)
KINDS = {
    'Euler': lambda: EulerDiscreteScheduler(**LEVELS),
    'Heun': lambda: HeunDiscreteScheduler(**LEVELS),
    'DDIM': lambda: DDIMScheduler(**TRAINED, clip_sample=False, set_alpha_to_one=False, steps_offset=1, timestep_spacing='leading'),
}
CASES = [
    dict(sampler='Euler', schedule='Karras', prompt='a photo of a cat', negative='', steps=8, cfg=7, seed=1, width=64, height=64),
    dict(sampler='Euler', schedule='Karras', prompt='a red house', negative='blurry', steps=20, cfg=1.5, seed=77, width=64, height=128),
    dict(sampler='Heun', schedule='Karras', prompt='a photo of a cat', negative='', steps=6, cfg=7, seed=2, width=64, height=64),
    dict(sampler='Heun', schedule='Karras', prompt='a dog in the snow', negative='', steps=10, cfg=5, seed=3, width=128, height=64),
    dict(sampler='DDIM', schedule='Automatic', prompt='a photo of a cat', negative='bad', steps=5, cfg=7, seed=4, width=64, height=64),
    dict(sampler='DDIM', schedule='Automatic', prompt='a red house', negative='', steps=20, cfg=3, seed=5, width=64, height=64),
]


def states(prompt):
    ids = tokenizer(prompt, padding='max_length', max_length=77, truncation=True, return_tensors='pt').input_ids
    return text(ids)[0]


def latents(case):
    scheduler = KINDS[case['sampler']]()
    scheduler.set_timesteps(case['steps'])
    noise = torch.randn((4, case['height'] // 8, case['width'] // 8), generator=torch.Generator().manual_seed(case['seed']))
    x, contexts = noise[None] * scheduler.init_noise_sigma, torch.cat([states(case['negative']), states(case['prompt'])])
    steps = scheduler.timesteps
    if case['sampler'] == 'DDIM':
        steps = steps[:-1]
    for t in steps:
        seen = scheduler.scale_model_input(x, t)
        without, having = unet(torch.cat([seen] * 2), t, contexts).sample.chunk(2)
        x = scheduler.step(without + case['cfg'] * (having - without), t, x).prev_sample
    return x[0]


tensors = {}
for place, case in enumerate(CASES):
    case['id'] = f'v{place}'
    tensors[case['id'] + '.latents'] = latents(case).float().contiguous()
    print(case['id'], case['sampler'], f"largest {tensors[case['id'] + '.latents'].abs().max():.2f}")
save_file(tensors, out + '/tensors.safetensors')
peer = f'diffusers {diffusers.__version__}, torch {torch.__version__}, transformers {transformers.__version__}, f32 on one thread'
json.dump(dict(peer=peer, model='tiny-model', cases=CASES), open(out + '/cases.json', 'w'), indent=1)
