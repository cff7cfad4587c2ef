// Elements, and small things that all pages need.

/** Makes an element: h('p', {class: 'help'}, 'text', child). Texts are never read as HTML. */
export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else if (key in element && key !== 'list' && typeof value !== 'string') element[key] = value;
    else element.setAttribute(key, value === true ? '' : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** Replaces what is in an element. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined));
}

const labels = new Map();
/** Remembers how a form labels the options of a request; those of several are called `any` in texts. */
export function remember(request, name, label) {
  labels.set(`${request}.${name}`, label);
  labels.set(`any.${name}`, label);
}

/** A text of the server with the labels of fields in the place of their paths, such as `train.save_every`;
    of a form that was not opened yet, with their names. */
export const labeled = (text) => text.replace(/\b[a-z]+\.[a-z][a-z0-9_]*\b/g, (path) => {
  if (labels.has(path)) return `“${labels.get(path)}”`;
  const [, name] = /^(?:any|train|draw|grid|pick|prepare|convert)\.(\w+)$/.exec(path) ?? [];
  return name ? `“${name.replaceAll('_', ' ')}”` : path;
});

let hide;
/** Shows a message for some seconds. */
export function toast(text) {
  document.getElementById('toast').textContent = labeled(text);
  clearTimeout(hide);
  hide = setTimeout(() => { document.getElementById('toast').textContent = ''; }, 8000);
}

/** Runs something that may fail, and shows why it did. */
export async function tried(work) {
  try {
    return await work();
  } catch (error) {
    toast(error.message);
    return undefined;
  }
}

/** Calls a function once, after the last of many calls. */
export function later(work, wait) {
  let timer;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...values), wait);
  };
}

/** A duration for people. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return '';
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** A file below the folder for output as an address. */
export const address = (file) => '/files/' + file.split('/').map(encodeURIComponent).join('/');

/** Bytes for people. */
export const bytes = (n) => (n < 1e9 ? `${Math.round(n / 1e6)} MB` : `${(n / 1e9).toFixed(1)} GB`);

/** On a narrow screen, where it lies below the form, brings an element into view. */
export function reveal(element) {
  if (matchMedia('(max-width: 899px)').matches) element.scrollIntoView({ block: 'center' });
}

/** Copies a text; where the browser forbids it, shows it to be copied by hand. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast('Copied.');
  } catch {
    const box = h('dialog', { 'aria-label': 'Text to copy' }, h('pre', {}, text),
      h('button', { onclick: () => { box.close(); box.remove(); } }, 'Close'));
    document.body.append(box);
    box.showModal();
  }
}
