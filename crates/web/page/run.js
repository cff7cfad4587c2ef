// Run: a training as it goes, and those of before.
import { below, follow, get, post } from './api.js';
import { chart, draw, smooth } from './chart.js';
import { address, duration, fill, h, tried } from './dom.js';
import { slider } from './steps.js';

let list;
let panel;
let close = () => {};
const IDLE = () => ({ loss: [], fixed: [], norm: [], samples: [], files: [], warnings: [], report: null });

export function build(element) {
  list = h('div', { class: 'scroll' });
  panel = h('section', { class: 'panel', 'aria-label': 'Run' });
  fill(element, h('h2', {}, 'Runs'), h('div', { class: 'columns' },
    h('section', { class: 'panel', 'aria-label': 'All runs' }, list), panel));
}

/** `job/ID` shows a job, a run's folder what is on disk, nothing the running training. */
export async function shown(what) {
  close();
  const [{ runs }, { jobs }] = await Promise.all([get('/runs'), get('/jobs')]);
  const waiting = jobs.filter((job) => job.command === 'train' && ['queued', 'running'].includes(job.state));
  fill(list, table(runs, waiting));
  const running = waiting[0];
  if (what.startsWith('job/')) return job(what.slice(4));
  if (what) return stored(what);
  if (running) return job(running.id);
  if (runs.length) return stored(runs[0].run);
  fill(panel, h('p', { class: 'help' }, 'There is no run yet. Start one on the page Train.'));
  return undefined;
}

function table(runs, waiting) {
  const queued = waiting.filter((job) => !runs.some((run) => run.job === job.id));
  return h('table', {}, h('thead', {}, h('tr', {}, ['Run', 'State', 'Steps'].map((name) => h('th', { scope: 'col' }, name)))),
    h('tbody', {},
      queued.map((job) => h('tr', {}, h('td', {}, h('a', { href: `#run/job/${job.id}` }, job.request.name || job.request.resume || 'training')),
        h('td', { class: 'state' }, job.place ? `queued, ${job.place} before` : job.state), h('td', {}, ''))),
      runs.map((run) => h('tr', {},
        h('td', {}, h('a', { href: run.job ? `#run/job/${run.job}` : `#run/${run.run}` }, run.name)),
        h('td', { class: `state ${run.state}` }, run.state), h('td', {}, `${run.step} of ${run.steps}`)))));
}

/** A run's parts on the page; `update` shows what is in `data`. */
function parts(title) {
  const data = IDLE();
  const [loss, fixed, norm] = [chart(), chart(), chart()];
  const state = h('p', { class: 'state', role: 'status' });
  const bar = h('progress', { max: '1', value: '0', 'aria-label': 'Steps done' });
  const numbers = h('p', {});
  const buttons = h('div', { class: 'row' });
  const gallery = h('ul', { class: 'gallery' });
  const files = h('ul', {});
  const notes = h('div', {});
  const steps = h('div', {});
  fill(panel, h('h2', {}, title), state, bar, numbers, buttons, notes, fixed, loss, norm,
    steps, h('h3', {}, 'Previews'), gallery, h('h3', {}, 'Files'), files);
  const update = () => {
    draw(fixed, 'Evaluation loss (fixed noise)', [{ points: data.fixed, look: 'second' }]);
    draw(loss, 'Training loss', [{ points: data.loss, look: 'thin' }, { points: smooth(data.loss), look: 'thick' }]);
    draw(norm, 'Vector norm', [{ points: data.norm, look: 'thick' }]);
    const known = gallery.childElementCount;
    for (const file of data.samples.slice(known)) {
      const name = file.split('/').pop();
      gallery.append(h('li', {}, h('figure', {}, h('a', { href: address(file) }, h('img', { src: address(file), alt: `Preview ${name}`, loading: 'lazy' })), h('figcaption', {}, name))));
    }
    fill(files, data.files.map((file) => h('li', {}, h('a', { href: address(file), download: '' }, file.split('/').pop()))),
      data.report ? h('li', {}, h('a', { href: address(data.report) }, 'report')) : null);
    fill(notes, data.warnings.map((text) => h('p', { class: 'finding warning' }, text)));
  };
  return { data, state, bar, numbers, buttons, steps, update };
}

function step(data, report) {
  data.loss.push([report.step, report.loss]);
  data.norm.push([report.step, report.row_norm]);
}

/** A job that waits, runs or has run in this server. */
async function job(id) {
  const told = await get(`/jobs/${id}`);
  const view = parts(told.request.name || told.request.resume || `job ${id}`);
  let waiting = false;
  const soon = () => {
    if (waiting) return;
    waiting = true;
    setTimeout(() => { waiting = false; view.update(); }, 250);
  };
  const stop = h('button', { onclick: () => tried(() => post(`/jobs/${id}/stop`)) }, 'Stop and save');
  fill(view.buttons, stop);
  close = follow(id, {
    event: async (event) => {
      const { data } = view;
      if (event.event === 'step') {
        step(data, event);
        view.bar.value = event.step / event.of;
        view.numbers.textContent = `step ${event.step} of ${event.of}, loss ${event.loss.toFixed(4)}, ${duration(event.remaining)} left`;
      } else if (event.event === 'measured') data.fixed.push([event.step, event.fixed_noise_loss]);
      else if (event.event === 'preview') data.samples.push(await below(event.path));
      else if (event.event === 'saved') data.files.push(await below(event.path));
      else if (event.event === 'report') data.report = await below(event.path);
      else if (event.event === 'warned') data.warnings.push([event.message, event.hint].filter(Boolean).join(' - '));
      else if (event.event === 'encoded') view.numbers.textContent = `encoding image ${event.done} of ${event.of}`;
      else if (event.event === 'loading') view.numbers.textContent = `loading ${event.what}`;
      soon();
    },
    state: (now) => {
      view.state.textContent = now.place ? `queued, ${now.place} before` : `${now.state}: ${now.progress.phase}`;
    },
    end: (end) => {
      stop.disabled = true;
      view.state.textContent = end.state;
      view.state.className = `state ${end.state}`;
      if (end.error) view.numbers.textContent = [end.error.message, end.error.hint].filter(Boolean).join(' - ');
      const run = folder(told.request);
      if (run && view.data.loss.length) fill(view.steps, slider(run, run.split('/').pop().replace(/\.run$/, ''), view.data.loss.at(-1)[0]));
      if (end.state === 'finished') view.buttons.append(h('a', { class: 'button', href: '#draw' }, 'Draw with it'));
      if (end.state === 'stopped' && told.command === 'train') {
        view.buttons.append(h('button', { class: 'main', onclick: () => resume(`${told.request.out}/${told.request.name}.run`, told.request.resume) }, 'Go on'));
      }
      view.update();
      tried(async () => fill(list, table((await get('/runs')).runs, [])));
    },
  });
  view.update();
}

/** The folder of a request's run. */
function folder(request) {
  return request.resume || (request.out && request.name ? `${request.out}/${request.name}.run` : null);
}

/** A run from its files. */
async function stored(run) {
  const told = await get(`/runs/${run.split('/').map(encodeURIComponent).join('/')}`);
  const view = parts(told.name);
  view.state.textContent = told.state;
  view.state.className = `state ${told.state}`;
  view.bar.value = told.steps ? told.step / told.steps : 0;
  view.numbers.textContent = `step ${told.step} of ${told.steps}`;
  for (const line of told.log) {
    if (line.fixed_loss !== undefined) view.data.fixed.push([line.step, line.fixed_loss]);
    else if (line.loss !== undefined) step(view.data, line);
  }
  view.data.samples = told.samples;
  view.data.files = told.files.map((file) => file.file);
  view.data.report = told.report;
  if (told.step > 0) fill(view.steps, slider(told.path, told.name, told.step));
  if (told.state === 'interrupted') {
    fill(view.buttons, h('button', { class: 'main', onclick: () => resume(told.path) }, 'Go on'));
  }
  view.update();
}

async function resume(path, earlier) {
  await tried(async () => {
    const job = await post('/jobs', { command: 'train', resume: earlier || path });
    location.hash = `#run/job/${job.id}`;
  });
}
