// Photos made ready for a training: faces found, crops proposed, changed by hand.
import { ask, below, get } from './api.js';
import { editor } from './crops.js';
import { fill, h, tried } from './dom.js';
import { offer } from './again.js';

/** A panel that prepares the photos that `photos` names, with what `options` says; `use` is given the
    folder of the images and `null` where the photos are used as they are. */
export function preparation({ photos, options, use }) {
  const told = h('p', { role: 'status', class: 'help' });
  const place = h('div', {});
  const left = h('div', {});
  let current = null;

  const forget = () => {
    const earlier = current;
    current = null;
    fill(place);
    told.textContent = '';
    if (earlier) use(null, earlier.photos);
  };
  const summary = (report) => {
    const { kept, missing } = report.balance;
    const unread = report.unread.length ? ` ${report.unread.length} cannot be read.` : '';
    told.textContent = `${kept} of ${report.pictures.length} photos are kept.${unread}${missing.length ? ` Missing: ${missing.join(', ')}.` : ''}`;
  };
  async function show(report, request) {
    const folder = await below(report.out);
    const set = await get(`/prepared/${folder.split('/').map(encodeURIComponent).join('/')}`);
    const crops = editor(folder, set, (all) => {
      current.changed = true;
      told.textContent = `${all.filter((one) => one.keep).length} of ${all.length} photos are kept. The images are made anew before the training starts.`;
    });
    current = { request: { ...request, out: report.out }, photos: request.photos, crops, changed: false };
    fill(place, crops.element, h('div', { class: 'row' }, h('button', { type: 'button', onclick: forget }, 'Use the photos as they are')));
    summary(report);
    use(report.out, request.photos);
  }
  const begin = (request) => tried(async () => {
    told.textContent = 'Looking at photos …';
    try {
      await show(await ask({ command: 'prepare', ...request }), request);
    } catch (error) {
      told.textContent = '';
      throw error;
    }
  });
  const start = () => begin({ photos: current ? current.photos : photos(), ...options() });

  const element = h('div', {}, left,
    h('div', { class: 'row' }, h('button', { type: 'button', onclick: start }, 'Prepare photos')),
    h('p', { class: 'help' }, 'Finds faces, crops around the person, and leaves out blurred photos and doubles. You can change every crop.'),
    told, place);
  return {
    element,
    /** Other photos were named. */
    forget,
    /** Offers what a killed server left. */
    shown: () => offer(left, 'prepare', (request) => `preparing ${(request.photos || []).length} photos or folders`,
      (request) => { begin({ ...request, overwrite: true }); }),
    /** Makes the images anew where crops were changed. */
    settle: async () => {
      if (!current?.changed) return;
      await current.crops.send();
      summary(await ask({ command: 'prepare', ...current.request, overwrite: true }));
      current.changed = false;
    },
  };
}
