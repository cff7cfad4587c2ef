// Train: photos, the form, what is wrong with both, the start.
import { ask, get, post, put, server, Refused } from './api.js';
import { offer } from './again.js';
import { address, bytes, copy, duration, fill, h, labeled, tried } from './dom.js';
import { Form } from './form.js';
import { preparation } from './prepare.js';

const MAIN = ['name', 'init', 'base', 'vectors', 'resolution', 'template', 'preset', 'recipe', 'steps', 'batch', 'optimizer',
  'learning_rate', 'scheduler', 'save_every', 'sample_every'];
const WITHOUT = ['images', 'config', 'save_config', 'kohya', 'dataset_config', 'in_json', 'resume', 'out', 'words'];

let form;
let images = '';
let set = '';
const thumbs = h('ul', { class: 'thumbs' });
const findings = h('div', { 'aria-live': 'polite' });
const interrupted = h('div', {});
const SUBJECTS = { person: 'person', object: 'object', style: 'style' };
/** What prepares photos: the images are those that it makes, until the photos are used as they are. */
const prepared = preparation({
  photos: () => images.split('\n').map((line) => line.trim()).filter(Boolean),
  options: () => {
    const { preset, resolution } = form.values();
    return { subject: SUBJECTS[preset] || 'person', ...(resolution ? { resolution } : {}) };
  },
  use: (out, photos) => {
    images = out ?? photos.join('\n');
    folder.value = out ?? photos.join(' ');
    thumbs.hidden = out !== null;
  },
});
const folder = h('input', { id: 'folder', type: 'text', list: 'folders', autocomplete: 'off', placeholder: 'path on the server' });

export async function build(element) {
  const [schema, library, known, names] = await Promise.all([get('/schema/train'), get('/library'), server(), get('/names')]);
  const bases = library.checkpoints.map((one) => [one.path, one.name]);
  form = new Form(schema, {
    choices: { base: bases, preset: [['person', 'person'], ['object', 'object'], ['style', 'style']] },
    labels: { name: 'Name', init: 'Init words', learning_rate: 'Learning rate' },
    changed: (name) => { if (name === 'resolution' || name === 'enable_bucket') crops(); },
  });
  const files = h('input', { type: 'file', id: 'files', multiple: true, accept: 'image/*,.txt,.caption,.json' });
  files.addEventListener('change', () => upload([...files.files]));
  const drop = h('div', { class: 'drop' },
    h('label', { for: 'files' }, 'Photos'), h('p', { class: 'help' }, 'Drop photos or a folder here, or pick them. Text files of the same name are their captions; a JSON file of kohya\'s GUI fills the form.'), files);
  drop.addEventListener('dragover', (event) => { event.preventDefault(); drop.classList.add('over'); });
  drop.addEventListener('dragleave', () => drop.classList.remove('over'));
  drop.addEventListener('drop', (event) => {
    event.preventDefault();
    drop.classList.remove('over');
    dropped(event.dataTransfer).then(upload);
  });
  folder.addEventListener('input', () => {
    const typed = folder.value;
    prepared.forget();
    folder.value = typed;
    images = typed.trim();
  });
  const base = known.base ? `Default base: ${known.base}` : 'No base was found; name one.';
  fill(element, h('h2', {}, 'Train an embedding'), h('div', { class: 'columns' },
    h('section', { class: 'panel', 'aria-label': 'Images' }, drop, thumbs,
      h('div', { class: 'field' }, h('label', { for: 'folder' }, 'Folder'), folder,
        h('datalist', { id: 'folders' }, known.folders.map((path) => h('option', { value: path }))),
        h('p', { class: 'help' }, 'Filled by the photos above; or name a folder that the server opened with --pictures.')),
      prepared.element, findings),
    h('section', { class: 'panel', 'aria-label': 'Options' }, interrupted, h('p', { class: 'help' }, base),
      form.fields(MAIN, []), form.rest(WITHOUT),
      [suggested('optimizer', names.optimizers), suggested('scheduler', names.schedulers)],
      h('div', { class: 'row' },
        h('button', { class: 'main', onclick: start }, 'Start training'),
        h('button', { onclick: check }, 'Check'),
        h('button', { onclick: () => text('command') }, 'Copy as command'),
        h('button', { onclick: () => text('toml') }, 'Copy as TOML')))));
}

/** Names that the field of an option offers. */
function suggested(option, names) {
  form.inputs.get(option).setAttribute('list', `${option}-names`);
  return h('datalist', { id: `${option}-names` }, names.map((name) => h('option', { value: name })));
}

/** What the last server's end left: photos to prepare, trainings that had not begun. */
export async function shown() {
  await prepared.shown();
  await offer(interrupted, 'train', (given) => `training ${given.name || 'an embedding'}`, begin);
}

function request(command) {
  const list = images ? images.split('\n').map((line) => line.trim()).filter(Boolean) : [];
  return { command, ...(list.length ? { images: list } : {}), ...form.values() };
}

/** The files that were dropped, those of folders too. */
async function dropped(transfer) {
  // Both must be asked for before anything is waited for.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const plain = [...transfer.files];
  if (!entries.some((entry) => entry.isDirectory)) return plain;
  const files = [];
  const walk = async (entry) => {
    if (entry.isFile) files.push(await new Promise((done, failed) => entry.file(done, failed)));
    else {
      const reader = entry.createReader();
      // A reader gives some at a time.
      for (;;) {
        const some = await new Promise((done, failed) => reader.readEntries(done, failed));
        if (!some.length) break;
        for (const one of some) await walk(one);
      }
    }
  };
  for (const entry of entries) await tried(() => walk(entry));
  return files.filter((file) => !file.name.startsWith('.'));
}

/** Sends photos one after the other. */
async function upload(files) {
  prepared.forget();
  if (set === '') set = `set-${new Date().toISOString().slice(0, 19).replaceAll(':', '')}`;
  for (const file of files) {
    if (file.name.endsWith('.json')) {
      await tried(() => kohya(file));
      continue;
    }
    await tried(async () => {
      const told = await put(`/uploads/${encodeURIComponent(set)}/${encodeURIComponent(file.name)}`, file);
      images = told.folder;
      folder.value = told.folder;
      if (told.width) {
        const src = address(`uploads/${set}/${file.name}`);
        thumbs.append(h('li', {}, h('img', { src, alt: file.name, title: `${file.name}, ${told.width} x ${told.height}` })));
      }
    });
  }
}

/** Shows pictures cut as they will be: in the middle, to the shape of the resolution. */
function crops() {
  const sides = (form.inputs.get('resolution')?.value || '').match(/\d+/g) || ['1'];
  const uncut = form.inputs.get('enable_bucket')?.checked;
  thumbs.style.setProperty('--shape', `${sides[0]} / ${sides[1] || sides[0]}`);
  thumbs.classList.toggle('uncut', uncut === true);
}

/** Fills the form from a file of kohya's options. */
async function kohya(file) {
  const told = await post('/kohya', JSON.parse(await file.text()));
  const { images: folders, ...values } = told.values;
  form.set(values);
  if (folders?.length) { images = folders.join('\n'); folder.value = folders.join(' '); }
  const list = (title, lines) => (lines.length ? h('details', {}, h('summary', {}, `${title}: ${lines.length}`), h('ul', {}, lines.map((line) => h('li', {}, line)))) : null);
  fill(findings, h('h3', {}, `From ${file.name}`),
    told.warnings.map((one) => form.diagnose(one, true)).filter(Boolean).map((one) => h('p', { class: 'finding warning' }, one)),
    list('Taken', told.translated.map((one) => `${one.theirs}: ${one.ours}`)),
    list('Without effect here', told.ignored.map((one) => `${one.theirs}: ${one.why}`)),
    list('Unknown', told.unknown.map((one) => one.theirs)));
  crops();
}

async function text(kind) {
  await tried(async () => copy((await post('/as-text', request('train')))[kind]));
}

function refused(error) {
  if (!(error instanceof Refused)) throw error;
  const rest = form.diagnose(error.told);
  fill(findings, h('p', { class: 'finding' }, rest || labeled(error.message)));
}

async function check() {
  form.clear();
  fill(findings, h('p', { class: 'help' }, 'Checking …'));
  await tried(async () => {
    try {
      await prepared.settle();
      show(await ask(request('check')));
    } catch (error) {
      refused(error);
    }
  });
}

/** What a training would do: forecast, warnings, captions. */
function show(plan) {
  const estimate = plan.estimate;
  const facts = [
    `${plan.pictures} images, ${plan.steps} steps of ${plan.batch}`,
    estimate ? `about ${duration(estimate.total)} and ${bytes(estimate.memory)} of memory` : null,
  ].filter(Boolean).join('; ');
  const warnings = plan.warnings.map((one) => form.diagnose(one, true)).filter(Boolean);
  fill(findings, h('h3', {}, 'Forecast'), h('p', {}, facts),
    warnings.map((one) => h('p', { class: 'finding warning' }, one)),
    h('h3', {}, 'Captions as the model sees them'),
    h('ul', {}, plan.captions.slice(0, 12).map((one) => h('li', {}, `${one.text} (${one.count})`))));
}

async function begin(given) {
  const job = await post('/jobs', { ...given, command: 'train' });
  location.hash = `#run/job/${job.id}`;
}

async function start() {
  form.clear();
  await tried(async () => {
    try {
      await prepared.settle();
      await begin(request('train'));
    } catch (error) {
      refused(error);
    }
  });
}
