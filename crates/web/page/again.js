// Jobs that ended with an earlier server, offered again.
import { get, post } from './api.js';
import { fill, h, tried } from './dom.js';

/** Lists the interrupted jobs of a command in an element; `name` tells a request in words, `begin`
    does it again. */
export async function offer(element, command, name, begin) {
  const { interrupted } = await get('/jobs');
  const forget = (job) => post(`/jobs/${job.id}/forget`);
  const again = () => offer(element, command, name, begin);
  fill(element, interrupted.filter((job) => job.command === command).map((job) => h('p', { class: 'row' },
    `Interrupted: ${name(job.request)}`,
    h('button', { onclick: () => tried(async () => {
      await forget(job);
      await again();
      await begin(job.request);
    }) }, 'Do it again'),
    h('button', { onclick: () => tried(async () => { await forget(job); await again(); }) }, 'Dismiss'))));
}
