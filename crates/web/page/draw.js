// Draw: the prompt with its explanation, the settings, the pictures.
import { ask, below, follow, get, post, put, Refused } from './api.js';
import { offer } from './again.js';
import { completion, names as known } from './complete.js';
import { address, fill, h, later, reveal, toast, tried } from './dom.js';
import { Form } from './form.js';
import { painter } from './mask.js';

const MAIN = ['prompt', 'negative', 'base', 'sampler', 'schedule', 'steps', 'cfg', 'size', 'seed', 'count'];
const WITHOUT = ['prompts', 'from', 'out', 'format', 'preview_every', 'json', 'combinatorial'];

let form;
let schema;
let current;
const explained = h('pre', { role: 'status', 'aria-label': 'How the prompt is read' });
const live = h('div', { class: 'live' });
const paint = h('div', {});
const gallery = h('ul', { class: 'gallery' });
const interrupted = h('div', {});
const state = h('p', { role: 'status', class: 'state' });
const bar = h('progress', { max: '1', value: '0', 'aria-label': 'Drawing' });
const act = (name) => tried(() => post(`/jobs/${current}/${name}`));
const skip = h('button', { disabled: true, onclick: () => act('skip') }, 'Skip this image');
const stop = h('button', { disabled: true, onclick: () => act('stop') }, 'Cancel');

export async function build(element) {
  const [told, names, library] = await Promise.all([get('/schema/draw'), get('/names'), get('/library')]);
  schema = told;
  const pairs = (list) => list.map((name) => [name, name]);
  form = new Form(schema, {
    choices: {
      sampler: pairs(names.samplers), schedule: pairs(names.schedules), hires_sampler: pairs(names.samplers),
      hires_schedule: pairs(names.schedules), hires_upscaler: pairs(names.upscalers),
      base: library.checkpoints.map((one) => [one.path, one.name]),
    },
    labels: { prompt: 'Prompt', negative: 'Negative prompt', cfg: 'Guidance (CFG)', count: 'Number of images' },
    changed: (name) => { if (name === 'prompt' || name === 'negative') explain(); },
  });
  const insert = (label, list, text) => (list.length ? h('details', {}, h('summary', {}, label),
    h('div', { class: 'row' }, list.map((one) => h('button', { onclick: () => add(text(one)) }, one.name)))) : null);
  fill(element, h('h2', {}, 'Draw'), h('div', { class: 'columns' },
    h('section', { class: 'panel', 'aria-label': 'Settings' },
      h('div', {}, form.fields(MAIN, ['prompt', 'negative'])), completion(form.inputs.get('prompt'), known(library)),
      h('div', { class: 'row' }, h('button', { class: 'main', onclick: start }, 'Draw'), skip, stop),
      h('details', { open: true }, h('summary', {}, 'How the prompt is read'), explained),
      insert('Embeddings', library.embeddings, (one) => one.name),
      insert('LoRAs', library.loras, (one) => `<lora:${one.name}:1>`),
      h('details', {}, h('summary', {}, 'Initial image and mask'), chosen(), paint),
      h('details', {}, h('summary', {}, 'Repeat an image'), dropped()),
      form.rest(WITHOUT)),
    h('section', { class: 'panel', 'aria-label': 'Images' }, interrupted, state, bar, live, h('h3', {}, 'Gallery'), gallery)));
  form.inputs.get('prompt').addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) start();
  });
  const { pictures } = await get('/pictures');
  gallery.append(...pictures.slice(0, 40).map((one) => figure(one.file, one.settings)));
}

/** Takes a file to the server; gives its path there. */
async function sent(file, name) {
  const set = `drawing-${Date.now()}`;
  return put(`/uploads/${set}/${encodeURIComponent(name)}`, file).then((told) => ({ ...told, address: address(`uploads/${set}/${name}`) }));
}

/** A picker of a file, which can be dropped on it, too. */
function picker(id, label, take) {
  const input = h('input', { id, type: 'file', accept: 'image/*' });
  input.addEventListener('change', () => { if (input.files[0]) tried(() => take(input.files[0])); });
  const area = h('div', { class: 'drop' }, h('label', { for: id }, label), input);
  area.addEventListener('dragover', (event) => event.preventDefault());
  area.addEventListener('drop', (event) => {
    event.preventDefault();
    if (event.dataTransfer.files[0]) tried(() => take(event.dataTransfer.files[0]));
  });
  return area;
}

/** The image of img2img; a mask can be painted over it. */
function chosen() {
  return picker('initial', 'Image to start from', async (file) => {
    const told = await sent(file, file.name);
    begin(told.path, told.address);
  });
}

function begin(path, src) {
  form.set({ image: path, mask: '' });
  fill(paint, painter(src, (blob) => tried(async () => {
    const mask = await sent(blob, 'mask.png');
    form.set({ mask: mask.path });
    toast('The mask is set.');
  })));
}

/** An image whose settings are drawn again. */
function dropped() {
  return picker('again', 'Image with settings in it', async (file) => repeat((await sent(file, file.name)).path));
}

/** A drawing that was begun elsewhere or before a reload is shown again. */
export async function shown() {
  await offer(interrupted, 'draw', (request) => request.prompt || request.from || 'a drawing',
    async (request) => watch((await post('/jobs', { ...request, command: 'draw' })).id));
  const { jobs } = await get('/jobs');
  const running = jobs.find((job) => job.command === 'draw' && ['queued', 'running'].includes(job.state));
  if (running && running.id !== current) watch(running.id);
}

function add(text) {
  const input = form.inputs.get('prompt');
  input.value = [input.value.trim(), text].filter(Boolean).join(', ');
  input.focus();
  explain();
}

const explain = later(async () => {
  const values = form.values();
  if (!values.prompt) return fill(explained, '');
  try {
    const told = await ask({ command: 'explain', prompt: values.prompt, ...(values.negative ? { negative: values.negative } : {}) });
    explained.textContent = told.lines.join('\n');
    form.find('prompt', '');
  } catch (error) {
    if (error instanceof Refused) form.find('prompt', error.message, true);
    else toast(error.message);
  }
  return undefined;
}, 350);

function figure(file, settings) {
  const name = file.split('/').pop();
  const again = h('div', { class: 'row' }, settings ? h('button', { onclick: () => repeat(file) }, 'Repeat') : null,
    h('button', { onclick: () => begin(file, address(file)) }, 'Use as initial image'));
  return h('li', {}, h('figure', {},
    h('a', { href: address(file) }, h('img', { src: address(file), alt: `Drawing ${name}`, loading: 'lazy' })),
    h('figcaption', {}, h('details', {}, h('summary', {}, name), h('pre', {}, settings || ''), again))));
}

/** Draws a picture again from the settings in it. */
async function repeat(file) {
  await tried(async () => watch((await post('/jobs', { command: 'draw', from: file, preview_every: 2 })).id));
}

async function start() {
  await form.submit(async () => {
    watch((await post('/jobs', { command: 'draw', preview_every: 2, ...form.values() })).id);
  });
}

function watch(id) {
  current = id;
  reveal(bar);
  stop.disabled = skip.disabled = false;
  state.className = 'state';
  follow(id, {
    event: async (event) => {
      if (current !== id && event.event !== 'saved') return;
      if (event.event === 'draw_step') {
        const share = (event.first + event.step / event.of) / event.pictures;
        bar.value = Math.min(1, share);
      } else if (event.event === 'draw_preview') {
        fill(live, h('img', { src: `data:image/png;base64,${event.png}`, alt: `Image ${event.index + 1} after ${event.step} steps` }));
      } else if (event.event === 'saved') {
        const file = await below(event.path);
        const item = figure(file, '');
        gallery.prepend(item);
        if (current === id) fill(live, h('img', { src: address(file), alt: 'Finished image' }));
        const { pictures } = await get('/pictures');
        const told = pictures.find((one) => one.file === file);
        if (told) item.replaceWith(figure(file, told.settings));
      } else if (event.event === 'warned') toast([event.message, event.hint].filter(Boolean).join(' - '));
    },
    state: (now) => {
      if (current === id) state.textContent = now.place ? `queued, ${now.place} before` : `${now.state}: ${now.progress.phase}`;
    },
    end: (end) => {
      if (current !== id) return;
      stop.disabled = skip.disabled = true;
      state.className = `state ${end.state}`;
      state.textContent = end.state;
      if (end.error && end.state === 'failed') form.failed(end.error);
      if (end.state === 'finished') bar.value = 1;
    },
  });
}
