// Jobs that ended with an earlier server, offered again, with the images that they made.
import { get, post } from './api.js';
import { address, fill, h, tried } from './dom.js';

/** Lists the interrupted jobs of a command in an element; `name` tells a request in words, `begin`
    does it again. */
export async function offer(element, command, name, begin) {
  const { interrupted } = await get('/jobs');
  const forget = (job) => post(`/jobs/${job.id}/forget`);
  const again = () => offer(element, command, name, begin);
  const image = (file) => h('li', {}, h('a', { href: address(file) },
    h('img', { src: address(file), alt: file.split('/').pop(), loading: 'lazy' })));
  fill(element, interrupted.filter((job) => job.command === command).map((job) => h('div', {},
    h('p', { class: 'row' },
      `Interrupted: ${name(job.request)}`,
      h('button', { onclick: () => tried(async () => {
        await begin(job.request);
        await forget(job);
        await again();
      }) }, 'Do it again'),
      h('button', { onclick: () => tried(async () => { await forget(job); await again(); }) }, 'Dismiss')),
    job.images?.length ? h('ul', { class: 'thumbs' }, job.images.map(image)) : null)));
}
