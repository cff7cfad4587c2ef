// Run: trainings as they go and those of before, each in a tab.
import { below, get } from './api.js';
import { fill, h, tried } from './dom.js';
import { live, stored } from './training.js';

let list;
let bar;
let place;
/** What is open: the run's folder or `job/ID`, with its title, and once it was shown its panel. */
const tabs = new Map();
let current = null;

export function build(element) {
  list = h('div', { class: 'scroll' });
  bar = h('div', { role: 'tablist', 'aria-label': 'Open runs', class: 'tabs' });
  bar.addEventListener('keydown', keys);
  place = h('div', {});
  addEventListener('jobs', () => { if (list.isConnected) tried(refresh); });
  for (const [key, title] of remembered()) tabs.set(key, { title });
  fill(element, h('h2', {}, 'Runs'), h('div', { class: 'columns' },
    h('section', { class: 'panel', 'aria-label': 'All runs' }, list), h('div', {}, bar, place)));
}

const remembered = () => {
  try {
    return JSON.parse(sessionStorage.getItem('runs')) ?? [];
  } catch {
    return [];
  }
};

/** `job/ID` shows a job, a run's folder what is on disk, nothing the tab of before. */
export async function shown(what) {
  const { runs, waiting } = await refresh();
  const first = waiting.length ? `job/${waiting[0].id}` : runs[0]?.run;
  const wanted = what || (tabs.has(current) ? current : first);
  if (!wanted) {
    fill(place, h('section', { class: 'panel' }, h('p', { class: 'help' }, 'There is no run yet. Start one on the page Train.')));
    return;
  }
  await open(await found(wanted, runs));
}

/** The list of all runs, as they are now. */
async function refresh() {
  const [{ runs }, { jobs }] = await Promise.all([get('/runs'), get('/jobs')]);
  const waiting = jobs.filter((job) => job.command === 'train' && ['queued', 'running'].includes(job.state));
  fill(list, table(runs, waiting));
  return { runs, waiting };
}

/** The tab of a job or a run: a job that trains a run is the run's. */
async function found(what, runs) {
  const known = runs.find((run) => run.run === what);
  const id = what.startsWith('job/') ? what.slice(4) : known?.job;
  if (!id) return { key: what, title: known?.name ?? what.split('/').pop(), id: null };
  const job = await get(`/jobs/${id}`);
  const folder = job.request.resume || (job.request.out && job.request.name ? `${job.request.out}/${job.request.name}.run` : null);
  const run = folder ? await below(folder) : null;
  const title = run ? run.split('/').pop().replace(/\.run$/, '') : `job ${id}`;
  return { key: run ?? what, title, id, job, run };
}

/** Shows a tab; one whose run goes on is built anew, so that one stream is open at a time. */
async function open({ key, title, id, job, run }) {
  tabs.get(current)?.view?.close();
  const tab = tabs.get(key) ?? {};
  tabs.set(key, Object.assign(tab, { title }));
  current = key;
  if (!tab.view || tab.view.isLive || (id && tab.id !== id)) {
    tab.id = id;
    tab.panel = h('section', { class: 'panel', role: 'tabpanel', 'aria-label': title });
    tab.view = id ? live(tab.panel, title, job, run, refresh) : await stored(tab.panel, key);
    tab.panel.append(h('div', { class: 'row' }, h('button', { onclick: () => close(key) }, 'Close this tab')));
  }
  // Another may have been chosen meanwhile.
  if (current === key) show();
}

function show() {
  sessionStorage.setItem('runs', JSON.stringify([...tabs].map(([key, { title }]) => [key, title])));
  fill(place, tabs.get(current)?.panel);
  fill(bar, [...tabs].map(([key, { title }]) => h('button', {
    role: 'tab', 'aria-selected': String(key === current), tabindex: key === current ? '0' : '-1', onclick: () => choose(key),
  }, title)));
  bar.hidden = tabs.size < 2;
}

const choose = (key) => {
  if (location.hash === `#run/${encodeURI(key)}`) shown(key);
  else location.hash = `#run/${encodeURI(key)}`;
};

function close(key) {
  const keys = [...tabs.keys()];
  tabs.get(key).view.close();
  tabs.delete(key);
  const next = keys[keys.indexOf(key) + 1] ?? keys[keys.indexOf(key) - 1];
  if (next) {
    choose(next);
    return;
  }
  current = null;
  show();
  fill(place, h('section', { class: 'panel' }, h('p', { class: 'help' }, 'Choose a run.')));
}

/** Arrow keys go from tab to tab, Delete closes one. */
function keys(event) {
  const all = [...tabs.keys()];
  const at = all.indexOf(current);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[event.key];
  if (event.key === 'Delete') close(current);
  else if (to !== undefined) choose(all[(to + all.length) % all.length]);
  else return;
  event.preventDefault();
  setTimeout(() => bar.querySelector('[aria-selected=true]')?.focus(), 300);
}

function table(runs, waiting) {
  const queued = waiting.filter((job) => !runs.some((run) => run.job === job.id));
  return h('table', {}, h('thead', {}, h('tr', {}, ['Run', 'State', 'Steps'].map((name) => h('th', { scope: 'col' }, name)))),
    h('tbody', {},
      queued.map((job) => h('tr', {}, h('td', {}, h('a', { href: `#run/job/${job.id}` }, job.request.name || job.request.resume || 'training')),
        h('td', { class: 'state' }, job.place ? `queued, ${job.place} before` : job.state), h('td', {}, ''))),
      runs.map((run) => h('tr', {},
        h('td', {}, h('a', { href: run.job ? `#run/job/${run.job}` : `#run/${encodeURI(run.run)}` }, run.name)),
        h('td', { class: `state ${run.state}` }, run.state), h('td', {}, `${run.step} of ${run.steps}`)))));
}
