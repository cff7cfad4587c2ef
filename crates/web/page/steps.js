// Steps of a run as a slider: the embedding at a step, drawn; the best step; a step as a file.
import { ask, below } from './api.js';
import { address, fill, h, later, tried } from './dom.js';

/** A slider over the steps of a run in the folder `path`; `last` is the last step so far, `names` are
    those of its embeddings. */
export function slider(path, name, last, names) {
  const drawn = new Map();
  const input = h('input', { type: 'range', min: '0', max: String(last), value: String(last), step: '1', id: 'step' });
  const label = h('label', { for: 'step' }, `Step ${last}`);
  const prompt = h('input', { type: 'text', id: 'step-prompt', value: `photo of ${names[0] ?? name}`, autocomplete: 'off' });
  const image = h('div', { class: 'live' });
  const told = h('p', { role: 'status', class: 'help' });
  const show = later(() => tried(async () => {
    const key = `${input.value} ${prompt.value}`;
    if (!drawn.has(key)) {
      told.textContent = 'Drawing …';
      const [file] = await ask({ command: 'draw', run: path, step: input.value, prompt: prompt.value, seed: 1, steps: 16, out: 'slider' });
      drawn.set(key, await below(file));
    }
    // The slider may be elsewhere by now.
    if (key !== `${input.value} ${prompt.value}`) return;
    told.textContent = '';
    fill(image, h('img', { src: address(drawn.get(key)), alt: `${prompt.value} after ${input.value} steps` }));
  }), 250);
  input.addEventListener('input', () => { label.textContent = `Step ${input.value}`; show(); });
  prompt.addEventListener('change', show);
  const use = () => tried(async () => {
    const file = `embeddings/${name}-step${input.value.padStart(8, '0')}.safetensors`;
    await ask({ command: 'convert', input: path, step: input.value, output: file, overwrite: true });
    told.textContent = `${file} is written; write ${file.split('/').pop().replace('.safetensors', '')} in a prompt.`;
  });
  const pick = () => tried(async () => {
    told.textContent = 'Comparing steps …';
    const found = await ask({ command: 'pick', run: path });
    const step = String(found.chosen);
    told.textContent = `Best: ${step}. ${found.why}`;
    const middle = step.match(/[0-9]+/g).map(Number);
    input.value = String(Math.round((middle[0] + middle[middle.length - 1]) / 2));
    label.textContent = `Step ${input.value} (best: ${step})`;
    show();
  });
  return h('section', { 'aria-label': 'Steps' }, h('h3', {}, 'Steps'),
    h('p', { class: 'help' }, 'Drag to see the embedding as it was after a step.'),
    h('div', { class: 'field' }, label, input),
    names.length > 1 ? h('div', { class: 'row' }, names.map((one) => h('button', { onclick: () => { prompt.value = `photo of ${one}`; show(); } }, one))) : null,
    h('div', { class: 'field' }, h('label', { for: 'step-prompt' }, 'Prompt of the slider'), prompt), image,
    h('div', { class: 'row' }, h('button', { onclick: use }, 'Use this step'), h('button', { onclick: pick }, 'Find the best step')), told);
}
