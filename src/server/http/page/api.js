// The server's routes. The token lives in the tab's session storage, comes from the link's fragment and
// leaves the address at once. An answer that is no answer is a `Problem`, with the server's sentence.

import { objects } from './parts.js';

export { objects };

const KEY = 'hindsight.authorization';

export class Problem extends Error {
  constructor({ detail, title, hint = null, status = 0, parameter = null, sqlstate = null, range = null }) {
    super(detail || title || 'The server did not say what went wrong.');
    // Of a parameter the sentence says all; its hint is a statement, for who asks in SQL.
    Object.assign(this, { hint: parameter ? null : hint, status, parameter, sqlstate, range });
  }
  // No server answered: it is stopped, or the network is. One that has no time or memory is there.
  get gone() {
    return this.status === 0 || (this.status === 503 && [null, '57P01'].includes(this.sqlstate));
  }
  get unknownToken() {
    return this.status === 401;
  }
}

export function takeToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  if (token) {
    give({ link: token });
    history.replaceState(null, '', location.pathname + location.search);
  }
  return token;
}

// What a person pastes, the whole link or the token alone; or a user's name and password.
export function give({ link, user, password }) {
  if (user) sessionStorage.setItem(KEY, `Basic ${btoa(String.fromCharCode(...new TextEncoder().encode(`${user}:${password}`)))}`);
  else sessionStorage.setItem(KEY, `Bearer ${/token=([^&\s]+)/.exec(link)?.[1] ?? link.trim()}`);
}

const listeners = new Set();
export const onProblem = (listener) => listeners.add(listener);
const said = (problem) => {
  for (const listener of listeners) listener(problem);
  return problem;
};

async function problemOf(response) {
  let body = {};
  try {
    body = await response.json();
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    body = { detail: `The server answered ${response.status} ${response.statusText}.` };
  }
  return new Problem({ ...body, status: response.status });
}

async function ask(method, path, body, { signal, accept } = {}) {
  const headers = { Authorization: sessionStorage.getItem(KEY) ?? 'Bearer none' };
  if (accept) headers.Accept = accept;
  if (method !== 'GET') headers['Content-Type'] = 'application/json';
  let response;
  try {
    response = await fetch(`/api/v1/${path}`, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal,
      cache: 'no-store',
    });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw said(new Problem({ detail: 'The server does not answer.', hint: 'The page goes on by itself when it is back.' }));
  }
  if (!response.ok) throw said(await problemOf(response));
  return response;
}

export const get = async (path, options) => (await ask('GET', path, undefined, options)).json();
export const file = async (path) => (await ask('GET', path)).blob();
export const remove = async (path) => {
  await ask('DELETE', path);
};
export const post = async (path, body, options) => (await ask('POST', path, body, options)).json();

export async function healthy() {
  try {
    return (await fetch('/healthz', { cache: 'no-store' })).ok;
  } catch {
    return false;
  }
}

// The live what-if's binary body, all little-endian: `HSL1`, the length of a JSON head, the head, and one
// Int32 array of `width` buckets for each of its series, in units of 10^-digits SOL. A bucket becomes its
// first, least, greatest and last value, so that no extreme is lost.
export function decoded(buffer) {
  const view = new DataView(buffer);
  if (view.getUint32(0, false) !== 0x48534c31) throw new Problem({ detail: 'The answer is not of this page’s version.', hint: 'Load the page again.' });
  const length = view.getUint32(4, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  const { width, digits } = head;
  const unit = 10 ** -digits;
  const series = Object.fromEntries(head.series.map((name, index) => [name, new Int32Array(buffer, 8 + length + 4 * width * index, width)]));
  const [start, end] = [Date.parse(head.start), Date.parse(head.end)];
  const spread = (names) => {
    const values = new Float64Array(4 * width);
    names.forEach((name, at) => series[name].forEach((value, bucket) => (values[4 * bucket + at] = value * unit)));
    return values;
  };
  const curve = (side) => spread(['first', 'least', 'greatest', 'last'].map((part) => `${side}_${part}`));
  const fall = (side) => spread(Array(4).fill(`${side}_drawdown`));
  return {
    backtest: head.backtest,
    exits: head.exit_reasons,
    response: Object.fromEntries((head.response ?? []).map((each) => [each.parameter, { x: each.values, simulated: each.simulated_total_pnl_sol, conservative: each.simulated_pnl_conservative_sol }])),
    time: Float64Array.from({ length: 4 * width }, (_, index) => start + ((end - start) * (Math.floor(index / 4) + 0.5)) / width),
    actual: curve('actual'),
    simulated: curve('simulated'),
    actual_drawdown: fall('actual'),
    simulated_drawdown: fall('simulated'),
  };
}

// The answer, or null where a newer request of this page has overtaken it.
export async function live(body, options) {
  const response = await ask('POST', 'live', body, options);
  if (response.status === 204) return null;
  return decoded(await response.arrayBuffer());
}

// Rows of a table function over a configuration.
export const table = (name, body, options) => post(`table/${name}`, body, options);

// All rows, page after page: {columns, rows}.
const PAGE = 50000;
async function whole(page) {
  let answer = await page(0);
  const { columns, rows } = answer;
  while (answer.next !== null && answer.next !== undefined) {
    answer = await page(answer.next);
    for (const row of answer.rows) rows.push(row);
  }
  return { columns, rows };
}
export const wholeTable = (name, body, options) => whole((after) => table(name, { ...body, after, limit: PAGE }, options));
export const wholeResult = (id, part, options) => whole((after) => get(`backtest/result/${id}/${part}?after=${after}&limit=${PAGE}`, options));

async function* lines(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      const parts = (rest + value).split('\n');
      rest = parts.pop();
      yield* parts;
    }
    if (rest) yield rest;
  } finally {
    reader.cancel().catch(() => {});
  }
}

const interrupted = () => said(new Problem({ detail: 'The server went away before it was done.', hint: 'Start it again when it is back.' }));

// One JSON object a line, each given to `take`.
export async function ndjson(path, body, take, options) {
  const response = await ask('POST', path, body, { ...options, accept: 'application/x-ndjson' });
  try {
    for await (const line of lines(response)) if (line.trim()) take(JSON.parse(line));
  } catch (error) {
    throw error.name === 'AbortError' || error instanceof Problem ? error : interrupted();
  }
}

// Server-sent events, each given to `take` as (event, data).
export async function events(path, body, take, options) {
  const response = await ask('POST', path, body, { ...options, accept: 'text/event-stream' });
  let event = 'message';
  let data = [];
  try {
    for await (const raw of lines(response)) {
      const line = raw.replace(/\r$/, '');
      if (line === '') {
        if (data.length) take(event, JSON.parse(data.join('\n')));
        event = 'message';
        data = [];
      } else if (line.startsWith('event:')) event = line.slice(6).trim();
      else if (line.startsWith('data:')) data.push(line.slice(5).trimStart());
    }
  } catch (error) {
    throw error.name === 'AbortError' || error instanceof Problem ? error : interrupted();
  }
}
