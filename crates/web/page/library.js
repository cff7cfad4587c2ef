// Library: what the folders hold.
import { ask, get, post } from './api.js';
import { address, fill, h, labeled, toast, tried } from './dom.js';

let body;
let programs = [];
const undo = h('p', { role: 'status' });

export function build(element) {
  body = h('div', {});
  fill(element, h('h2', {}, 'Library'),
    h('div', { class: 'row' }, h('button', { onclick: () => tried(async () => { await show(await post('/library/rescan')); }) }, 'Look again')), undo, body);
}

export async function shown() {
  await show(await get('/library'));
}

async function show(library) {
  const [{ runs }, convert] = await Promise.all([get('/runs'), get('/schema/convert')]);
  programs = (convert.properties.for_program ?? convert.properties.for).oneOf;
  const cut = (text) => (text && text.length > 200 ? `${text.slice(0, 200)} …` : text);
  fill(body,
    section('Embeddings', ['Name', 'Vectors', 'Norm', 'Base', 'Notes'], library.embeddings,
      (one) => [one.name, one.vectors, one.norm?.toFixed(3), one.base, cut(one.notes)], edits),
    section('LoRAs', ['Name', 'Base', 'Notes'], library.loras, (one) => [one.name, one.base, cut(one.notes)]),
    section('Bases', ['Name', 'Path'], library.checkpoints, (one) => [one.name, one.path]),
    h('section', { class: 'panel' }, h('h3', {}, 'Runs'), runs.length
      ? h('ul', {}, runs.map((run) => h('li', {}, h('a', { href: `#run/${encodeURI(run.run)}` }, run.name), `: ${run.state}, ${run.step} of ${run.steps} steps`)))
      : h('p', { class: 'help' }, 'None found.')),
    library.wildcards.length ? h('section', { class: 'panel' }, h('h3', {}, 'Wildcards'), h('p', {}, library.wildcards.map((name) => `__${name}__`).join(', '))) : null,
    library.left_out.length ? h('details', {}, h('summary', {}, `Left out: ${library.left_out.length}`),
      h('ul', {}, library.left_out.map((text) => h('li', {}, text)))) : null);
}

/** What can be done with an embedding: a file for another program; more with one of the server's own
    folder. */
function edits(one) {
  const other = h('button', { 'aria-label': `Convert ${one.name}`, onclick: () => convert(one) }, 'Convert');
  if (!one.own) return [other];
  const rename = () => tried(async () => {
    const name = prompt(`New name of ${one.name}; prompts then call it by this name.`, one.name);
    if (!name || name === one.name) return;
    await post('/library/rename', { path: one.path, name });
    await show(await get('/library'));
  });
  const remove = () => tried(async () => {
    const told = await post('/library/delete', { path: one.path });
    await show(await get('/library'));
    fill(undo, `${told.name} was deleted. `, h('button', { onclick: () => tried(async () => {
      await post('/library/restore', { undo: told.undo });
      fill(undo);
      await show(await get('/library'));
    }) }, 'Undo'));
  });
  return [other, h('button', { 'aria-label': `Rename ${one.name}`, onclick: rename }, 'Rename'),
    h('button', { 'aria-label': `Delete ${one.name}`, onclick: remove }, 'Delete')];
}

function section(title, heads, rows, cells, more = () => []) {
  return h('section', { class: 'panel' }, h('h3', {}, title), rows.length
    ? h('div', { class: 'scroll' }, h('table', { class: 'cards' },
      h('thead', {}, h('tr', {}, heads.map((name) => h('th', { scope: 'col' }, name)), h('th', { scope: 'col' }, 'Actions'))),
      h('tbody', {}, rows.map((one) => h('tr', {}, cells(one).map((text, at) => h('td', { 'data-name': at ? heads[at] : null },
        at === 0 && one.preview ? h('img', { src: encodeURI(one.preview), alt: '', class: 'preview', loading: 'lazy' }) : null, String(text ?? ''))),
        h('td', {}, h('button', { 'aria-label': `Inspect ${one.name}`, onclick: () => inspect(one) }, 'Inspect'), ...more(one)))))))
    : h('p', { class: 'help' }, 'None found.'));
}

/** Writes an embedding for a program, and offers the file. */
function convert(one) {
  const program = h('select', { id: 'program' }, programs.map((choice) => h('option', { value: choice.const }, choice.description || choice.const)));
  const kind = h('select', { id: 'ending' }, ['safetensors', 'pt', 'bin'].map((ending) => h('option', { value: ending }, `.${ending}`)));
  const told = h('p', { role: 'status' });
  const write = () => tried(async () => {
    const output = `converted/${one.name}.${program.value}.${kind.value}`;
    try {
      await ask({ command: 'convert', input: one.path, output, for_program: program.value, token: one.name, overwrite: true });
      fill(told, 'Written: ', h('a', { href: address(output), download: `${one.name}.${kind.value}` }, output));
    } catch (error) {
      told.textContent = labeled(error.message);
    }
  });
  const box = h('dialog', { 'aria-label': `Convert ${one.name}` }, h('h2', {}, `Convert ${one.name}`),
    h('div', { class: 'field' }, h('label', { for: 'program' }, 'For'), program),
    h('div', { class: 'field' }, h('label', { for: 'ending' }, 'Kind of file'), kind), told,
    h('div', { class: 'row' }, h('button', { class: 'main', onclick: write }, 'Write'),
      h('button', { onclick: () => { box.close(); box.remove(); } }, 'Close')));
  document.body.append(box);
  box.showModal();
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
