// Crops of prepared photos: moved, sized, turned, kept or left out, with the pointer or the keyboard.
import { put } from './api.js';
import { h, fill, later, tried } from './dom.js';

const KEYS = 'Drag or arrow keys move the crop, the wheel or + and - size it, R turns the photo, Space keeps it or leaves it out.';
const encoded = (path) => path.split('/').map(encodeURIComponent).join('/');

/** Width and height of a photo as it is turned. */
const turned = (one) => (one.turn % 180 ? [one.size[1], one.size[0]] : one.size);
const within = (value, least, most) => Math.min(Math.max(value, least), Math.max(least, most));

/** Draws a part of a turned photo, [left, top, width, height], over a whole canvas. */
function paint(canvas, image, one, [left, top, width, height]) {
  const pen = canvas.getContext('2d');
  const scale = canvas.width / width;
  const [w, h] = one.size;
  pen.save();
  pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.scale(scale, scale);
  pen.translate(-left, -top);
  // The turned photo's corner comes to lie where that of the canvas is.
  pen.translate(...{ 0: [0, 0], 90: [h, 0], 180: [w, h], 270: [0, w] }[one.turn]);
  pen.rotate((one.turn * Math.PI) / 180);
  pen.drawImage(image, 0, 0, w, h);
  pen.restore();
}

/** An editor of what was prepared into `folder` below the folder for output; `changed` is told. */
export function editor(folder, set, changed) {
  const ratio = set.resolution[0] / set.resolution[1];
  const all = set.pictures.map((one) => ({ ...one, image: null }));
  let unsent = {};
  let sending = Promise.resolve();
  let chosen = all[0];

  const canvas = h('canvas', { tabindex: '0', role: 'application', class: 'cutting', 'aria-describedby': 'crop-keys' });
  const told = h('p', { role: 'status' });
  const keep = h('input', { type: 'checkbox', id: 'crop-keep' });
  const size = h('input', { type: 'range', id: 'crop-size', min: '10', max: '100', step: '1' });
  const list = h('ul', { class: 'thumbs' });
  const items = new Map();

  /** The widest crop that fits. */
  const widest = (one) => {
    const [w, height] = turned(one);
    return Math.max(1, Math.floor(Math.min(w, height * ratio)));
  };
  /** Puts a crop of a width around a center into the photo. */
  const place = (one, x, y, wide) => {
    const [w, height] = turned(one);
    const across = within(Math.round(wide), Math.min(16, widest(one)), widest(one));
    const down = within(Math.round(across / ratio), 1, height);
    one.crop = [Math.round(within(x - across / 2, 0, w - across)), Math.round(within(y - down / 2, 0, height - down)), across, down];
  };
  for (const one of all) if (!one.crop) place(one, turned(one)[0] / 2, turned(one)[1] / 2, widest(one));
  const middle = ([left, top, w, height]) => [left + w / 2, top + height / 2];

  const send = () => {
    const changes = unsent;
    unsent = {};
    if (Object.keys(changes).length) sending = sending.then(() => tried(() => put(`/prepared/${encoded(folder)}`, JSON.stringify(changes))));
    return sending;
  };
  const soon = later(send, 400);

  function mini(one) {
    const { button, small } = items.get(one);
    if (one.image) paint(small, one.image, one, one.crop);
    button.classList.toggle('left-out', !one.keep);
    button.setAttribute('aria-label', `${one.file}: ${one.keep ? 'kept' : 'left out'}`);
    if (one === chosen) button.setAttribute('aria-current', 'true');
    else button.removeAttribute('aria-current');
  }

  function show() {
    const [w, height] = turned(chosen);
    canvas.width = within(w, 480, 900);
    canvas.height = Math.max(1, Math.round((canvas.width * height) / w));
    canvas.setAttribute('aria-label', `Crop of ${chosen.file}`);
    const [left, top, across, down] = chosen.crop;
    const scale = canvas.width / w;
    if (chosen.image) {
      paint(canvas, chosen.image, chosen, [0, 0, w, height]);
      const pen = canvas.getContext('2d');
      pen.fillStyle = 'rgb(0 0 0 / 60%)';
      pen.beginPath();
      pen.rect(0, 0, canvas.width, canvas.height);
      pen.rect(left * scale, top * scale, across * scale, down * scale);
      pen.fill('evenodd');
      pen.lineWidth = Math.max(2, canvas.width / 250);
      pen.strokeStyle = chosen.keep ? '#7fd8a4' : '#ff9a92';
      pen.strokeRect(left * scale, top * scale, across * scale, down * scale);
    }
    keep.checked = chosen.keep;
    size.value = String(Math.round((100 * across) / widest(chosen)));
    const small = across < set.resolution[0] ? ', enlarged' : '';
    told.textContent = `${chosen.file}: ${chosen.keep ? 'kept' : 'left out'}, ${across} x ${down} of ${w} x ${height} pixels${small}`
      + (chosen.reasons.length ? ` (${chosen.reasons.join('; ')})` : '');
  }

  /** Changes the chosen photo. */
  function change(work) {
    work(chosen);
    const { file, keep: kept, turn, crop } = chosen;
    unsent[file] = { keep: kept, turn, crop };
    soon();
    mini(chosen);
    show();
    changed(all);
  }
  const move = (x, y) => change((one) => { const [a, b] = middle(one.crop); place(one, a + x, b + y, one.crop[2]); });
  const zoom = (by) => change((one) => place(one, ...middle(one.crop), one.crop[2] * by));
  const turn = (by) => change((one) => {
    const [w, height] = turned(one);
    const [x, y] = middle(one.crop);
    const center = by === 90 ? [height - y, x] : [y, w - x];
    one.turn = (one.turn + by + 360) % 360;
    place(one, ...center, one.crop[2]);
  });
  const proposed = () => change((one) => {
    Object.assign(one, { keep: one.proposed.keep, turn: one.proposed.turn });
    if (one.proposed.crop) one.crop = [...one.proposed.crop];
  });
  const choose = (one) => {
    const last = chosen;
    chosen = one;
    mini(last);
    mini(one);
    show();
  };
  const next = (by) => choose(all[(all.indexOf(chosen) + by + all.length) % all.length]);

  keep.addEventListener('change', () => change((one) => { one.keep = keep.checked; }));
  size.addEventListener('input', () => change((one) => place(one, ...middle(one.crop), (widest(one) * Number(size.value)) / 100)));
  canvas.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = event.shiftKey ? 1 : Math.max(1, Math.round(turned(chosen)[0] / 50));
    const work = {
      ArrowLeft: () => move(-step, 0), ArrowRight: () => move(step, 0), ArrowUp: () => move(0, -step), ArrowDown: () => move(0, step),
      '+': () => zoom(1 / 1.06), '=': () => zoom(1 / 1.06), '-': () => zoom(1.06), _: () => zoom(1.06),
      r: () => turn(90), R: () => turn(-90), ' ': () => change((one) => { one.keep = !one.keep; }),
      PageDown: () => next(1), PageUp: () => next(-1),
    }[event.key];
    if (!work) return;
    event.preventDefault();
    work();
  });
  canvas.addEventListener('wheel', (event) => {
    event.preventDefault();
    zoom(event.deltaY > 0 ? 1.06 : 1 / 1.06);
  }, { passive: false });
  let last = null;
  canvas.addEventListener('pointerdown', (event) => {
    canvas.setPointerCapture(event.pointerId);
    last = [event.clientX, event.clientY];
  });
  canvas.addEventListener('pointermove', (event) => {
    if (!event.buttons || !last) return;
    const scale = turned(chosen)[0] / canvas.getBoundingClientRect().width;
    const [x, y] = [(event.clientX - last[0]) * scale, (event.clientY - last[1]) * scale];
    // Parts of a pixel are not lost: they are moved with the next ones.
    if (Math.abs(x) < 1 && Math.abs(y) < 1) return;
    last = [event.clientX, event.clientY];
    move(x, y);
  });

  for (const one of all) {
    const small = h('canvas', { width: 192, height: Math.max(1, Math.round(192 / ratio)) });
    const button = h('button', { type: 'button', onclick: () => choose(one) }, small);
    items.set(one, { button, small });
    list.append(h('li', {}, button));
    const image = new Image();
    image.addEventListener('load', () => {
      one.image = image;
      mini(one);
      if (one === chosen) show();
    });
    image.src = `/api/v1/photos/${encoded(`${folder}/${one.file}`)}`;
    mini(one);
  }
  const element = h('section', { 'aria-label': 'Crops', class: 'crops' });
  if (all.length) {
    fill(element, h('h3', {}, 'Crops'), canvas, told, h('p', { class: 'help', id: 'crop-keys' }, KEYS),
      h('div', { class: 'field' }, h('label', { for: 'crop-size' }, 'Size of the crop'), size),
      h('div', { class: 'row' },
        h('div', { class: 'field switch' }, keep, h('label', { for: 'crop-keep' }, 'Keep this photo')),
        h('button', { type: 'button', onclick: () => turn(-90) }, 'Turn left'),
        h('button', { type: 'button', onclick: () => turn(90) }, 'Turn right'),
        h('button', { type: 'button', onclick: proposed }, 'As proposed')), list);
    show();
  }
  return { element, send };
}
