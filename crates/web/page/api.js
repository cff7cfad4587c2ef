// Calls of /api/v1.

/** What the server refused, with the option that it is about. */
export class Refused extends Error {
  constructor(told) {
    super([told.message, told.hint].filter(Boolean).join(' - '));
    this.told = told;
  }
}

async function call(path, options) {
  let response;
  try {
    response = await fetch('/api/v1' + path, options);
  } catch {
    throw new Error('The server does not answer.');
  }
  const body = await response.json().catch(() => ({ message: `The server answered ${response.status}.` }));
  if (!response.ok) throw new Refused(body);
  return body;
}

export const get = (path) => call(path);
export const post = (path, body = {}) => call(path, {
  method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
});
export const put = (path, body) => call(path, { method: 'PUT', body });

let known;
/** What the server said of itself when the page was opened. */
export const server = () => (known ??= get('/server'));

/** Submits a request and waits for its result. */
export async function ask(request) {
  const job = await post('/jobs', request);
  for (;;) {
    const now = await get(`/jobs/${job.id}`);
    if (now.error) throw new Refused(now.error);
    if (now.result !== undefined) return now.result;
    await new Promise((done) => setTimeout(done, 120));
  }
}

/** Follows a job's events from the first on; returns a function that ends that. */
export function follow(id, { event, state, end }) {
  const source = new EventSource(`/api/v1/jobs/${id}/events`);
  source.onmessage = (message) => event?.(JSON.parse(message.data));
  source.addEventListener('state', (message) => state?.(JSON.parse(message.data)));
  source.addEventListener('end', (message) => {
    source.close();
    end?.(JSON.parse(message.data));
  });
  return () => source.close();
}

/** A path of this server as one below the folder for output. */
export async function below(path) {
  const { out } = await server();
  return path.startsWith(out) ? path.slice(out.length).replaceAll('\\', '/').replace(/^\//, '') : path;
}
