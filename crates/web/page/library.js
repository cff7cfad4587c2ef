// Library: what the folders hold.
import { ask, get, post } from './api.js';
import { fill, h, toast, tried } from './dom.js';

let body;
const undo = h('p', { role: 'status' });

export function build(element) {
  body = h('div', {});
  fill(element, h('h2', {}, 'Library'),
    h('div', { class: 'row' }, h('button', { onclick: () => tried(async () => show(await post('/library/rescan'))) }, 'Look again')), undo, body);
}

export async function shown() {
  show(await get('/library'));
}

function show(library) {
  fill(body,
    section('Embeddings', ['Name', 'Vectors', 'Norm', 'Base'], library.embeddings,
      (one) => [one.name, one.vectors, one.norm?.toFixed(3), one.base], edits),
    section('LoRAs', ['Name', 'Base'], library.loras, (one) => [one.name, one.base]),
    section('Bases', ['Name', 'Path'], library.checkpoints, (one) => [one.name, one.path]),
    library.wildcards.length ? h('section', { class: 'panel' }, h('h3', {}, 'Wildcards'), h('p', {}, library.wildcards.map((name) => `__${name}__`).join(', '))) : null,
    library.left_out.length ? h('details', {}, h('summary', {}, `Left out: ${library.left_out.length}`),
      h('ul', {}, library.left_out.map((text) => h('li', {}, text)))) : null);
}

/** What can be done with an embedding of the server's own folder. */
function edits(one) {
  if (!one.own) return [];
  const rename = () => tried(async () => {
    const name = prompt(`New name of ${one.name}; prompts then call it by this name.`, one.name);
    if (!name || name === one.name) return;
    await post('/library/rename', { path: one.path, name });
    show(await get('/library'));
  });
  const remove = () => tried(async () => {
    const told = await post('/library/delete', { path: one.path });
    show(await get('/library'));
    fill(undo, `${told.name} was deleted. `, h('button', { onclick: () => tried(async () => {
      await post('/library/restore', { undo: told.undo });
      fill(undo);
      show(await get('/library'));
    }) }, 'Undo'));
  });
  return [h('button', { 'aria-label': `Rename ${one.name}`, onclick: rename }, 'Rename'),
    h('button', { 'aria-label': `Delete ${one.name}`, onclick: remove }, 'Delete')];
}

function section(title, heads, rows, cells, more = () => []) {
  return h('section', { class: 'panel' }, h('h3', {}, title), rows.length
    ? h('div', { class: 'scroll' }, h('table', {},
      h('thead', {}, h('tr', {}, heads.map((name) => h('th', { scope: 'col' }, name)), h('th', { scope: 'col' }, 'Inspect'))),
      h('tbody', {}, rows.map((one) => h('tr', {}, cells(one).map((text) => h('td', {}, String(text ?? ''))),
        h('td', {}, h('button', { 'aria-label': `Inspect ${one.name}`, onclick: () => inspect(one) }, 'Inspect'), ...more(one)))))))
    : h('p', { class: 'help' }, 'None found.'));
}

async function inspect(one) {
  await tried(async () => {
    const facts = await ask({ command: 'inspect', file: one.path });
    const box = h('dialog', { 'aria-label': `About ${one.name}` }, h('h2', {}, one.name),
      h('pre', {}, JSON.stringify(facts, null, 1)), h('button', { onclick: () => { box.close(); box.remove(); } }, 'Close'));
    document.body.append(box);
    box.showModal();
    return toast('');
  });
}
