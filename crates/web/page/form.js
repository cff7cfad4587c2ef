// A form from a request's schema.
import { Refused } from './api.js';
import { h, labeled, remember, toast } from './dom.js';

/** Fields for some options of a schema. `choices` are names to pick from, by option. */
export class Form {
  constructor(schema, { choices = {}, labels = {}, changed = () => {} } = {}) {
    this.schema = schema;
    this.choices = choices;
    this.labels = labels;
    this.changed = changed;
    this.inputs = new Map();
    this.findings = new Map();
    for (const name of Object.keys(schema.properties)) remember(schema.title, name, this.label(name));
  }

  label(name) {
    return this.labels[name] || capital(this.schema.properties[name].title || name);
  }

  /** Elements for the options of these names. */
  fields(names, wide = []) {
    return h('div', { class: 'fields' }, names.filter((name) => this.schema.properties[name])
      .map((name) => this.field(name, wide.includes(name))));
  }

  /** All options that have no field yet, folded by group. */
  rest(without = []) {
    const groups = new Map();
    for (const [name, option] of Object.entries(this.schema.properties)) {
      if (this.inputs.has(name) || without.includes(name) || option.items?.type === 'object') continue;
      const group = option['x-group'] || 'Other';
      if (!groups.has(group)) groups.set(group, []);
      groups.get(group).push(name);
    }
    return [...groups].map(([group, names]) =>
      h('details', {}, h('summary', {}, group), this.fields(names)));
  }

  field(name, wide) {
    const option = this.schema.properties[name];
    const id = `field-${name}-${Math.random().toString(36).slice(2, 7)}`;
    const input = this.input(name, option, id);
    input.addEventListener('input', () => { this.find(name, ''); this.changed(name); });
    this.inputs.set(name, input);
    const text = option.description || '';
    const help = h('p', { class: 'help', id: `${id}-help` }, text === this.label(name) ? '' : text, ' ',
      option['x-flag']?.startsWith('--') ? h('code', {}, option['x-flag']) : null);
    const finding = h('p', { class: 'finding', id: `${id}-finding` });
    input.setAttribute('aria-describedby', `${id}-help ${id}-finding`);
    this.findings.set(name, finding);
    const label = h('label', { for: id }, this.label(name));
    if (option.type === 'boolean') return h('div', { class: 'field switch' }, input, label, help, finding);
    return h('div', { class: wide ? 'field wide' : 'field' }, label, input, help, finding);
  }

  input(name, option, id) {
    if (option.type === 'boolean') return h('input', { type: 'checkbox', id, checked: option.default === true });
    const picks = this.choices[name] || option.oneOf?.map((one) => [one.const, one.const]);
    if (picks) {
      return h('select', { id }, h('option', { value: '' }, 'default'),
        picks.map(([value, text]) => h('option', { value, selected: value === option.default }, text)));
    }
    const fallback = option.default === undefined ? '' : shown(option.default);
    if (isTexts(option) || ['prompt', 'negative', 'hires_prompt', 'hires_negative'].includes(name)) {
      return h('textarea', { id, rows: '3', spellcheck: 'false', placeholder: isTexts(option) ? 'one a line' : fallback });
    }
    const number = option.type === 'integer' || option.type === 'number';
    return h('input', {
      id, type: number ? 'number' : 'text', min: number ? str(option.minimum) : null,
      max: number ? str(option.maximum) : null, step: option.type === 'number' ? 'any' : null,
      placeholder: fallback, autocomplete: 'off', spellcheck: 'false',
    });
  }

  /** The options that were given. */
  values() {
    const values = {};
    for (const [name, input] of this.inputs) {
      const option = this.schema.properties[name];
      if (option.type === 'boolean') {
        if (input.checked !== (option.default === true)) values[name] = input.checked;
      } else if (input.value.trim() !== '') {
        values[name] = isTexts(option)
          ? input.value.split('\n').map((line) => line.trim()).filter(Boolean)
          : input.value.trim();
      }
    }
    return values;
  }

  /** Puts values into the fields. */
  set(values) {
    for (const [name, value] of Object.entries(values)) {
      const input = this.inputs.get(name);
      if (!input) continue;
      if (input.type === 'checkbox') input.checked = value === true;
      else if (Array.isArray(value) && isTexts(this.schema.properties[name])) input.value = value.join('\n');
      else input.value = value === null ? '' : shown(value);
    }
  }

  /** Shows a finding beside its field; `false` where there is no such field. */
  find(name, text, isWarning = false) {
    const finding = this.findings.get(name);
    if (!finding) return false;
    finding.textContent = labeled(text);
    finding.classList.toggle('warning', isWarning);
    const input = this.inputs.get(name);
    if (text && !isWarning) input.setAttribute('aria-invalid', 'true');
    else input.removeAttribute('aria-invalid');
    const fold = finding.closest('details');
    if (text && fold) fold.open = true;
    return true;
  }

  clear() {
    for (const name of this.findings.keys()) this.find(name, '');
  }

  /** Shows what a diagnostic says beside its field, or gives its text. */
  diagnose(told, isWarning = false) {
    const text = labeled([told.message, told.hint].filter(Boolean).join(' - '));
    const name = told.field?.split('.').pop();
    return name && this.find(name, text, isWarning) ? '' : text;
  }

  /** The same for what ended a job; what has no field is shown for some seconds. */
  failed(told) {
    const rest = this.diagnose(told);
    if (rest) toast(rest);
  }

  /** Sends what the fields say; a refusal stands beside its field. */
  async submit(work) {
    this.clear();
    try {
      await work();
    } catch (error) {
      if (error instanceof Refused) this.failed(error.told);
      else toast(error.message);
    }
  }
}

const isTexts = (option) => option.type === 'array' && option.items?.type === 'string';
const str = (value) => (value === undefined ? null : String(value));
const shown = (value) => (Array.isArray(value) ? value.join(',') : String(value));
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
