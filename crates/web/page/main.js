// The page: which tab is shown, and the line about the queue.
import { get, post } from './api.js';
import { duration, fill, h, tried } from './dom.js';
import * as train from './train.js';
import * as run from './run.js';
import * as draw from './draw.js';
import * as grid from './grid.js';
import * as library from './library.js';

const pages = { train, run, draw, grid, library };
const view = document.getElementById('view');
const built = new Map();

/** Shows the page that the address names: #draw, #run/embeddings/name.run. */
async function show() {
  const [name, ...rest] = decodeURIComponent(location.hash.slice(1)).split('/');
  const known = pages[name] ? name : 'train';
  for (const link of document.querySelectorAll('nav a')) {
    if (link.hash === `#${known}`) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  document.title = `${known} - wayword`;
  if (!built.has(known)) {
    const element = h('div', {});
    built.set(known, { element, ready: Promise.resolve(pages[known].build(element)) });
  }
  const page = built.get(known);
  fill(view, page.element);
  try {
    await page.ready;
    await pages[known].shown?.(rest.join('/'));
  } catch (error) {
    built.delete(known);
    fill(view, h('p', { class: 'finding' }, error.message), h('button', { onclick: show }, 'Try again'));
  }
}

const NAMES = { train: 'training', draw: 'drawing', grid: 'grid', prepare: 'preparation' };
let listed = '';

/** Tells what runs and what waits, each with a button that cancels it. */
async function queue() {
  const line = document.getElementById('state');
  try {
    const { jobs } = await get('/jobs');
    const open = jobs.filter((job) => !['finished', 'failed', 'stopped'].includes(job.state));
    const running = open.find((job) => job.state === 'running');
    const waiting = open.filter((job) => job.state === 'queued').length;
    const left = running?.progress.seconds_left;
    const text = running
      ? `${running.command}: ${running.progress.phase} ${running.progress.of ? `${running.progress.done}/${running.progress.of}` : ''}${left ? `, ${duration(left)} left` : ''}`
      : 'idle';
    const told = waiting ? `${text}, ${waiting} waiting` : text;
    if (line.textContent !== told) line.textContent = told;
    // Not while nothing changed: a button keeps its focus.
    const now = open.map((job) => `${job.id} ${job.state} ${job.place}`).join();
    if (now !== listed) {
      list(open);
      dispatchEvent(new Event('jobs'));
    }
    listed = now;
  } catch (error) {
    line.textContent = error.message;
  }
  setTimeout(queue, document.hidden ? 10000 : 2000);
}

function list(open) {
  const item = (job) => {
    const name = `${NAMES[job.command] ?? job.command} ${job.request.name || job.request.prompt || ''}`.trim().slice(0, 80);
    return h('li', { class: 'row' }, h('span', {}, `${name}: ${job.place ? `${job.place} before` : job.state}`),
      h('button', { 'aria-label': `Cancel ${name}`, onclick: () => tried(() => post(`/jobs/${job.id}/stop`)) }, 'Cancel'));
  };
  fill(document.getElementById('jobs'), open.length ? open.map(item) : h('li', {}, 'No jobs wait.'));
}

addEventListener('hashchange', show);
show();
queue();
