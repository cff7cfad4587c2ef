// Completion of names in a prompt: embeddings, LoRAs and wildcards, while they are typed.
import { fill, h } from './dom.js';

/** Offers names below a text field; `names` are {text, label}. */
export function completion(input, names) {
  const list = h('div', { class: 'row offers', role: 'group', 'aria-label': 'Completions' });
  const word = () => input.value.slice(0, input.selectionStart).match(/[^\s,()|]*$/)[0];
  const take = (name) => {
    const begin = input.selectionStart - word().length;
    const rest = input.value.slice(input.selectionStart);
    input.value = input.value.slice(0, begin) + name.text + rest;
    input.selectionStart = input.selectionEnd = begin + name.text.length;
    input.dispatchEvent(new Event('input'));
    input.focus();
    fill(list);
  };
  input.addEventListener('input', () => {
    const typed = word().toLowerCase();
    const bare = typed.replace(/^<lora:|^__/, '');
    const fits = typed.length < 2 ? [] : names.filter((name) => name.label.toLowerCase().includes(bare)
      && name.text.toLowerCase() !== typed).slice(0, 8);
    fill(list, fits.map((name) => h('button', { type: 'button', onclick: () => take(name) }, name.label)));
  });
  return list;
}

/** The names that a library holds. */
export const names = (library) => [
  ...library.embeddings.map((one) => ({ text: one.name, label: one.name })),
  ...library.loras.map((one) => ({ text: `<lora:${one.name}:1>`, label: one.name })),
  ...library.wildcards.map((name) => ({ text: `__${name}__`, label: name })),
];
