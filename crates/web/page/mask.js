// A brush over an image: what is painted is the mask of inpainting.
import { h } from './dom.js';

/** A painter over the image at `src`; `done` gets the mask as a PNG: white where it is redrawn. */
export function painter(src, done) {
  const image = h('img', { src, alt: 'Initial image' });
  const canvas = h('canvas', { 'aria-label': 'Mask: paint over the part to redraw', tabindex: '0' });
  const size = h('input', { type: 'range', min: '4', max: '200', value: '40', 'aria-label': 'Brush size' });
  const pen = canvas.getContext('2d');
  image.addEventListener('load', () => {
    canvas.width = image.naturalWidth;
    canvas.height = image.naturalHeight;
  });
  let last = null;
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) * (canvas.width / box.width), (event.clientY - box.top) * (canvas.height / box.height)];
  };
  const stroke = (event) => {
    const [x, y] = place(event);
    pen.strokeStyle = 'white';
    pen.lineCap = 'round';
    pen.lineWidth = Number(size.value);
    pen.beginPath();
    pen.moveTo(...(last ?? [x, y]));
    pen.lineTo(x, y);
    pen.stroke();
    last = [x, y];
  };
  canvas.addEventListener('pointerdown', (event) => {
    canvas.setPointerCapture(event.pointerId);
    last = null;
    stroke(event);
  });
  canvas.addEventListener('pointermove', (event) => { if (event.buttons) stroke(event); });
  const give = () => {
    // Unpainted pixels are transparent; a mask is black there.
    const whole = h('canvas', { width: canvas.width, height: canvas.height });
    const ink = whole.getContext('2d');
    ink.fillStyle = 'black';
    ink.fillRect(0, 0, whole.width, whole.height);
    ink.drawImage(canvas, 0, 0);
    whole.toBlob(done, 'image/png');
  };
  return h('div', {}, h('div', { class: 'painter' }, image, canvas),
    h('div', { class: 'row' }, size,
      h('button', { onclick: () => { pen.clearRect(0, 0, canvas.width, canvas.height); } }, 'Clear'),
      h('button', { onclick: give }, 'Use this mask')));
}
