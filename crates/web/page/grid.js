// Grid: axes, cells as they come, the sheet.
import { below, follow, get, post } from './api.js';
import { offer } from './again.js';
import { address, fill, h, reveal, tried } from './dom.js';
import { Form } from './form.js';

const MAIN = ['prompt', 'x', 'y', 'z', 'negative', 'base', 'sampler', 'steps', 'cfg', 'size', 'seed'];
/** Axes with values to begin with. */
const AXES = ['weight: 0.6, 0.8, 1.0, 1.2', 'step: 200-1000 (+200)', 'cfg: 4, 7, 10', 'steps: 10-30 (+10)', 'seed: 1-4',
  'sampler: Euler a, DPM++ 2M', 'schedule: Karras, SGM Uniform', 'lora weight: 0.4, 0.8', 'clip skip: 1, 2',
  'size: 512x512, 512x768', 'base: ', 'embedding: ', 'prompt s/r: red, blue', 'order: a, b, c'];
let form;
let current;
const cells = h('ul', { class: 'gallery' });
const state = h('p', { role: 'status', class: 'state' });
const result = h('p', {});
const interrupted = h('div', {});
const act = (name) => tried(() => post(`/jobs/${current}/${name}`));
const skip = h('button', { disabled: true, onclick: () => act('skip') }, 'Skip this cell');
const stop = h('button', { disabled: true, onclick: () => act('stop') }, 'Cancel');

export async function build(element) {
  const [schema, names, library] = await Promise.all([get('/schema/grid'), get('/names'), get('/library')]);
  form = new Form(schema, {
    choices: { sampler: names.samplers.map((name) => [name, name]), base: library.checkpoints.map((one) => [one.path, one.name]) },
    labels: { negative: 'Negative prompt', x: 'Columns (x)', y: 'Rows (y)', z: 'Sheets (z)', cfg: 'Guidance (CFG)' },
  });
  const fields = form.fields(MAIN, ['prompt', 'negative']);
  const offers = h('datalist', { id: 'axes' }, AXES.map((axis) => h('option', { value: axis })));
  for (const name of ['x', 'y', 'z']) form.inputs.get(name).setAttribute('list', 'axes');
  fill(element, h('h2', {}, 'Grid'), h('div', { class: 'columns' },
    h('section', { class: 'panel', 'aria-label': 'Settings' },
      h('p', { class: 'help' }, 'Columns, rows and sheets are axes: NAME: VALUES, such as "steps: 10-30 (+10)" or "cfg: 4, 7, 10"; the fields offer all names. One is enough.'),
      fields, offers,
      form.rest(['out', 'overwrite', 'json']),
      h('div', { class: 'row' }, h('button', { class: 'main', onclick: start }, 'Draw the grid'), skip, stop)),
    h('section', { class: 'panel', 'aria-label': 'Cells' }, interrupted, state, result, cells)));
}

/** What a killed server left, and a grid that was begun before a reload. */
export async function shown() {
  const name = (request) => [request.prompt, request.x, request.y].filter(Boolean).join(' - ');
  await offer(interrupted, 'grid', name, (request) => begin({ ...request, overwrite: true }));
  const { jobs } = await get('/jobs');
  const running = jobs.find((job) => job.command === 'grid' && ['queued', 'running'].includes(job.state));
  if (running && running.id !== current) watch(running.id);
}

async function begin(request) {
  watch((await post('/jobs', { ...request, command: 'grid' })).id);
}

const start = () => form.submit(() => begin(form.values()));

function watch(id) {
  current = id;
  reveal(state);
  stop.disabled = skip.disabled = false;
  state.className = 'state';
  fill(cells);
  fill(result);
  follow(id, {
    event: async (event) => {
      if (event.event !== 'saved' || current !== id) return;
      const file = await below(event.path);
      if (file.includes('/cells/')) {
        cells.append(h('li', {}, h('a', { href: address(file) }, h('img', { src: address(file), alt: file.split('/').pop(), loading: 'lazy' }))));
      } else if (file.endsWith('.html')) fill(result, h('a', { href: address(file) }, 'The whole grid as a page'));
    },
    state: (now) => { state.textContent = now.place ? `queued, ${now.place} before` : `${now.state}: ${now.progress.phase} ${now.progress.done}/${now.progress.of}`; },
    end: (end) => {
      stop.disabled = skip.disabled = true;
      state.textContent = end.state;
      state.className = `state ${end.state}`;
      if (end.error) form.failed(end.error);
    },
  });
}
