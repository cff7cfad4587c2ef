// Curves as SVG.

const SVG = 'http://www.w3.org/2000/svg';
const s = (name, attributes, text) => {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
};

/** Draws lines [{points: [[x, y]], look}] into an svg element with a title for readers of the page. */
export function draw(svg, title, lines) {
  shown.set(svg, [title, lines]);
  // As wide as it is shown, so that letters keep their size.
  const [width, height, left, bottom] = [Math.max(280, svg.clientWidth || 640), 220, 52, 24];
  svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', title);
  const all = lines.flatMap((line) => line.points).filter(([, y]) => Number.isFinite(y));
  if (all.length === 0) {
    svg.replaceChildren(s('text', { x: left, y: height / 2 }, `${title}: nothing yet`));
    return;
  }
  const [least, most] = [Math.min(...all.map(([, y]) => y)), Math.max(...all.map(([, y]) => y))];
  const room = (most - least || Math.abs(most) || 1) * 0.06;
  // What is never negative has no room below zero.
  const [low, high] = [least < 0 ? least - room : Math.max(0, least - room), most + room];
  const digits = Math.max(0, Math.ceil(-Math.log10(high - low)) + 1);
  const end = Math.max(1, ...all.map(([x]) => x));
  const x = (value) => left + (value / end) * (width - left - 10);
  const y = (value) => 20 + (1 - (value - low) / (high - low)) * (height - 20 - bottom);
  const parts = [s('text', { x: left, y: 14 }, title)];
  for (const share of [0, 0.5, 1]) {
    const value = low + share * (high - low);
    parts.push(s('line', { class: 'grid', x1: left, x2: width - 10, y1: y(value), y2: y(value) }));
    parts.push(s('text', { x: left - 6, y: y(value) + 4, 'text-anchor': 'end' }, value.toFixed(digits)));
  }
  parts.push(s('text', { x: left, y: height - 6 }, '0'));
  parts.push(s('text', { x: width - 10, y: height - 6, 'text-anchor': 'end' }, `${end} steps`));
  for (const line of lines) {
    const points = thinned(line.points).map(([a, b]) => `${x(a).toFixed(1)},${y(b).toFixed(1)}`);
    parts.push(s('polyline', { class: line.look, points: points.join(' ') }));
    if (line.points.length < 12) {
      for (const [a, b] of line.points) parts.push(s('circle', { class: line.look, cx: x(a), cy: y(b), r: 2.5 }));
    }
  }
  svg.replaceChildren(...parts);
}

const shown = new WeakMap();
const resized = new ResizeObserver((entries) => {
  for (const { target } of entries) if (shown.has(target)) draw(target, ...shown.get(target));
});

/** At most a few hundred points. */
function thinned(points) {
  const every = Math.ceil(points.length / 600);
  return points.filter((_, at) => at % every === 0 || at === points.length - 1);
}

/** The mean over the points before each, so that a noisy curve can be read. */
export function smooth(points, share = 0.95) {
  let [mean, weight] = [0, 0];
  return points.map(([x, y]) => {
    mean = share * mean + (1 - share) * y;
    weight = share * weight + (1 - share);
    return [x, mean / weight];
  });
}

export const chart = () => {
  const svg = s('svg', { class: 'chart' });
  resized.observe(svg);
  return svg;
};
