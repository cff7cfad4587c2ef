// One training on the page: its curves, previews, files, steps; as it goes, or from its folder.
import { below, follow, get, post } from './api.js';
import { chart, draw, smooth } from './chart.js';
import { address, duration, fill, h, labeled, tried } from './dom.js';
import { slider } from './steps.js';

/** The parts of a panel; `update` shows what is in `data`. */
function parts(panel, title) {
  const data = { loss: [], fixed: [], norm: [], similar: [], samples: [], files: [], warnings: [], report: null };
  const [loss, fixed, norm, similar] = [chart(), chart(), chart(), chart()];
  const compared = h('div', { hidden: true }, similar);
  const state = h('p', { class: 'state', role: 'status' });
  const bar = h('progress', { max: '1', value: '0', 'aria-label': 'Steps done' });
  const numbers = h('p', {});
  const buttons = h('div', { class: 'row' });
  const gallery = h('ul', { class: 'gallery' });
  const files = h('ul', {});
  const notes = h('div', {});
  const steps = h('div', {});
  fill(panel, h('h2', {}, title), state, bar, numbers, buttons, notes, fixed, compared, loss, norm,
    steps, h('h3', {}, 'Previews'), gallery, h('h3', {}, 'Files'), files);
  const update = () => {
    draw(fixed, 'Evaluation loss (fixed noise)', [{ points: data.fixed, look: 'second' }]);
    draw(loss, 'Training loss', [{ points: data.loss, look: 'thin' }, { points: smooth(data.loss), look: 'thick' }]);
    draw(norm, 'Vector norm', [{ points: data.norm, look: 'thick' }]);
    compared.hidden = data.similar.length === 0;
    if (!compared.hidden) draw(similar, 'Similarity of previews to the images', [{ points: means(data.similar), look: 'second' }]);
    const known = gallery.childElementCount;
    for (const file of data.samples.slice(known)) {
      const name = file.split('/').pop();
      // NAME_000200_00_SEED.png
      const at = /_(\d{6,})_\d+_\d+\.\w+$/.exec(name);
      gallery.append(h('li', {}, h('figure', {}, h('a', { href: address(file), title: name }, h('img', { src: address(file), alt: `Preview ${name}`, loading: 'lazy' })),
        h('figcaption', {}, at ? `after step ${Number(at[1])}` : name))));
    }
    fill(files, data.files.map((file) => h('li', {}, h('a', { href: address(file), download: '' }, file.split('/').pop()))),
      data.report ? h('li', {}, h('a', { href: address(data.report) }, 'report')) : null);
    fill(notes, data.warnings.map((text) => h('p', { class: 'finding warning' }, labeled(text))));
  };
  return { data, state, bar, numbers, buttons, steps, update };
}

/** The mean of each step's previews. */
function means(points) {
  const steps = new Map();
  for (const [x, y] of points) steps.set(x, [...(steps.get(x) ?? []), y]);
  return [...steps].sort(([a], [b]) => a - b).map(([x, all]) => [x, all.reduce((a, b) => a + b) / all.length]);
}

function step(data, report) {
  data.loss.push([report.step, report.loss]);
  data.norm.push([report.step, report.row_norm]);
}

const asked = (run) => get(`/runs/${run.split('/').map(encodeURIComponent).join('/')}`);

/** Shows a run's files and its slider, as they are on disk. */
function rest(view, told) {
  view.data.files = told.files.map((file) => file.file);
  view.data.report = told.report;
  if (told.step > 0) fill(view.steps, slider(told.path, told.name, told.step, told.embeddings));
}

/** A job that waits, runs or has run in this server; `run` is the folder that it trains. */
export function live(panel, title, told, run, ended) {
  const { id } = told;
  const view = parts(panel, title);
  let waiting = false;
  const soon = () => {
    if (waiting) return;
    waiting = true;
    setTimeout(() => { waiting = false; view.update(); }, 250);
  };
  const stop = h('button', { onclick: () => tried(() => post(`/jobs/${id}/stop`)) }, 'Stop and save');
  fill(view.buttons, stop);
  const shown = { isLive: true };
  shown.close = follow(id, {
    event: async (event) => {
      const { data } = view;
      if (event.event === 'step') {
        step(data, event);
        view.bar.value = event.step / event.of;
        view.numbers.textContent = `step ${event.step} of ${event.of}, loss ${event.loss.toFixed(4)}, ${duration(event.remaining)} left`;
      } else if (event.event === 'measured') data.fixed.push([event.step, event.fixed_noise_loss]);
      else if (event.event === 'similarity') data.similar.push([event.step, event.similarity]);
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
      shown.isLive = false;
      stop.disabled = true;
      view.state.textContent = end.state;
      view.state.className = `state ${end.state}`;
      view.numbers.textContent = view.numbers.textContent.replace(/, [^,]* left$/, '');
      if (end.error) view.numbers.textContent = labeled([end.error.message, end.error.hint].filter(Boolean).join(' - '));
      if (end.state === 'finished') view.buttons.append(h('a', { class: 'button', href: '#draw' }, 'Draw with it'));
      if (end.state === 'stopped' && run) view.buttons.append(resume(run));
      tried(async () => {
        if (run && view.data.loss.length) rest(view, await asked(run));
        view.update();
        await ended();
      });
    },
  });
  view.update();
  return shown;
}

/** A run from its files. */
export async function stored(panel, run) {
  const told = await asked(run);
  const view = parts(panel, told.name);
  view.state.textContent = told.state;
  view.state.className = `state ${told.state}`;
  view.bar.value = told.steps ? told.step / told.steps : 0;
  view.numbers.textContent = `step ${told.step} of ${told.steps}`;
  for (const line of told.log) {
    if (line.fixed_loss !== undefined) view.data.fixed.push([line.step, line.fixed_loss]);
    else if (line.loss !== undefined) step(view.data, line);
  }
  view.data.samples = told.samples;
  view.data.similar = told.similarity.map((line) => [line.step, line.similarity]);
  rest(view, told);
  if (told.state === 'finished') view.buttons.append(h('a', { class: 'button', href: '#draw' }, 'Draw with it'));
  if (told.state === 'interrupted') view.buttons.append(resume(run));
  view.update();
  return { isLive: told.state === 'running', close: () => {} };
}

/** Goes on with a run that ended early. */
const resume = (run) => h('button', { class: 'main', onclick: () => tried(async () => {
  const job = await post('/jobs', { command: 'train', resume: run });
  location.hash = `#run/job/${job.id}`;
}) }, 'Go on');
