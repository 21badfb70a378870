// What the page does: it asks, and puts what is answered into the store.

import * as api from './api.js';
import { asText, differing, flat, nested, range, reweigh, wrong } from './config.js';
import { newestOnly } from './newest.js';
import { change, mayRun, now } from './store.js';
import { ofPeriod } from './words.js';

const PAGE = Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, '0')).join('');
const KEPT = 'hindsight.values';
const KEPT_BACK = 'hindsight.kept-back';
const WIDTH = 720;
const SETTLE = 160;
// What the largest changes are chosen and shown by.
const CHANGE = ['signal_id', 'timestamp', 'token_address', 'actual_pnl_sol', 'simulated_pnl_sol', 'change'];

export const configOf = (values) => nested(values, now().parameters);

// What tells settings apart, however their numbers are written. The days are what they are over.
const keyOf = (values) => JSON.stringify(now().parameters.filter((each) => !ofPeriod(each)).map(({ name }) => String(asText(values[name]))));

// Counts settings that somebody has seen the result of: pairs of settings and row.
export function looked(pairs) {
  const { tried } = now();
  for (const [values, row] of pairs) tried.set(keyOf(values), row.simulated_sharpe_ratio ?? null);
  change({ tried });
}

// What storing says of the tries before it: how many, and how far their Sharpe ratios spread.
export function triedSoFar(tried = now().tried) {
  const ratios = [...tried.values()].filter((ratio) => ratio !== null).map(Number);
  if (tried.size < 2 || ratios.length < 2) return null;
  const mean = ratios.reduce((a, b) => a + b) / ratios.length;
  const deviation = Math.sqrt(ratios.reduce((sum, ratio) => sum + (ratio - mean) ** 2, 0) / (ratios.length - 1));
  return { settings: tried.size, sharpe_ratio_deviation: deviation.toFixed(12) };
}

const daysBefore = (day, count) => new Date(Date.parse(`${day}T00:00:00Z`) - count * 86400e3).toISOString().slice(0, 10);

// The longest period that is opened by itself: half a year.
const OPENED = 179;

export async function start() {
  try {
    const [status, defaults, settings] = await Promise.all([api.get('status'), api.get('backtest/defaults'), api.get('settings')]);
    const { parameters, metrics = [] } = defaults;
    const live = flat(defaults, parameters);
    if (status.first_day && status.last_day) {
      live.end_date = status.last_day;
      const early = daysBefore(status.last_day, OPENED);
      live.start_date = early > status.first_day ? early : status.first_day;
    }
    inForce(live, settings);
    const values = { ...live, ...kept(live) };
    change({ phase: 'ready', status, parameters, metrics, settings, live, values, kept: sessionStorage.getItem(KEPT_BACK), away: false, problem: null });
    if (status.signals !== 0) look(values), settle();
  } catch (problem) {
    if (problem.unknownToken) change({ phase: 'token', problem: null });
    else change({ problem });
  }
}

// What the live system says, over the defaults.
function inForce(live, { settings }) {
  for (const { setting, value } of settings) if (setting in live && value !== null) live[setting] = asText(value);
}

const kept = (live) => {
  try {
    const stored = JSON.parse(sessionStorage.getItem(KEPT) ?? '{}');
    return Object.fromEntries(Object.entries(stored).filter(([name]) => name in live));
  } catch {
    return {};
  }
};

// The live settings again, after they were changed.
export async function settingsAgain() {
  const settings = await api.get('settings');
  const live = { ...now().live };
  inForce(live, settings);
  change({ settings, live });
}

const lane = newestOnly(
  (values, seq) => api.live({ page: PAGE, seq: ticket(seq), config: configOf(values), width: WIDTH }),
  (answer, values) => {
    looked([[values, answer.backtest]]);
    change({ answer, asked: values, problem: null, away: false });
  },
  (problem) => problem.name !== 'AbortError' && change({ problem: problem.unknownToken || problem.gone ? now().problem : problem }),
);

let numbered = 0;
const ticket = () => ++numbered;

const look = (values) => mayRun(now().status) && lane.push(values);

let settling = null;
let settled = null;
// Asks for what takes longer once the hand is still.
export function settle() {
  clearTimeout(settling);
  settled?.abort();
  settling = setTimeout(async () => {
    const { values, status, typed } = now();
    if (!mayRun(status) || Object.keys(typed).length) return;
    const { signal } = (settled = new AbortController());
    const config = configOf(values);
    change({ interval: null });
    try {
      while (!lane.idle) await new Promise((done) => setTimeout(done, 20));
      const changes = api.wholeTable('compare_trades', { config, columns: CHANGE }, { signal });
      const interval = api.table('pnl_interval', { config }, { signal });
      interval.catch(() => {}); // said below, or by the other
      change({ changes: { values, ...(await changes) } });
      change({ interval: api.objects(await interval) });
      resting = values;
      await curves(values, signal);
    } catch (problem) {
      if (!signal.aborted && !problem.gone && !problem.unknownToken) change({ problem, interval: [] });
    }
  }, SETTLE);
}

// The response curves of what is in sight, one after the other.
const wanted = new Map(); // by the element that is in sight
const without = new Set(); // parameters and settings for which there is none
let drawing = false;
let resting = null; // the settings whose interval and changes are there
export function inSight(name, element, visible) {
  if (!visible) return wanted.delete(element);
  wanted.set(element, name);
  // What scrolls into sight wants its curve, and nothing else again.
  setTimeout(() => resting === now().values && curves(resting, settled.signal).catch(() => {}), 100);
  return true;
}

async function curves(values, signal) {
  if (drawing) return;
  drawing = true;
  try {
    const key = JSON.stringify(configOf(values));
    for (;;) {
      const name = [...wanted.values()].find((each) => now().curves[each]?.key !== key && !without.has(`${each} ${key}`));
      if (!name || signal.aborted) return;
      // A parameter without a curve has a slider all the same.
      const curve = await curveOf(name, values, signal).catch((problem) => {
        if (problem.status >= 400 && problem.status < 500 && !problem.unknownToken) return null;
        throw problem;
      });
      if (curve) change((state) => ({ curves: { ...state.curves, [name]: { ...curve, key } } }));
      else without.add(`${name} ${key}`);
    }
  } finally {
    drawing = false;
  }
}

async function curveOf(name, values, signal) {
  const config = configOf(values);
  if (!weights().includes(name)) {
    const answer = await api.live({ page: `${PAGE}-curves`, seq: ticket(), config, width: 8, response: [name] }, { signal });
    return answer?.response?.[name];
  }
  // A weight's other positions are those in which the other weights have given way.
  const x = Array.from({ length: 21 }, (_, index) => String(index / 20));
  const rows = x.map((at) => ({ ...values, ...reweigh(values, weights(), name, at, now().locked) }));
  const grid = Object.fromEntries(weights().map((each) => [each, rows.map((row) => row[each])]));
  const columns = [name, 'simulated_total_pnl_sol', 'simulated_pnl_conservative_sol'];
  const answer = await api.table('backtest', { config, grid, arguments: { zip: true }, columns }, { signal });
  const [at, simulated, conservative] = [0, 1, 2].map((column) => answer.rows.map((row) => row[column]));
  return { x: at, simulated, conservative };
}

const weights = () => now().parameters.filter((each) => each.group === 'scoring_weights').map((each) => each.name);

// A hand takes hold of a slider: from here the curve before the move stays as a ghost.
let holding = null;
export function hold(name) {
  if (holding === name) return;
  holding = name;
  const { answer } = now();
  if (answer) change({ ghost: answer });
}

export function letGo() {
  if (holding === null) return;
  holding = null;
  settle();
}

const remember = (values) => sessionStorage.setItem(KEPT, JSON.stringify(Object.fromEntries(differing(values, now().live, now().parameters).map(({ name }) => [name, values[name]]))));

// Sets a parameter. What is no value stays in its field with the reason, and nothing is asked.
export function set(name, text, { typed: byTyping = false } = {}) {
  const { parameters, values, typed, locked } = now();
  const parameter = parameters.find((each) => each.name === name);
  const problem = wrong(parameter, text);
  const { [name]: _, ...others } = typed;
  if (problem) {
    change({ typed: { ...others, [name]: { text, problem } } });
    return;
  }
  // Who writes other days has said which are seen.
  if (ofPeriod(parameter)) keepsBack(null);
  const patch = parameter.group === 'scoring_weights' ? reweigh(values, weights(), name, text, locked) : { [name]: text };
  const next = { ...values, ...patch };
  if (byTyping && now().answer) change({ ghost: now().answer });
  change({ values: next, typed: others });
  remember(next);
  if (Object.keys(others).length === 0) look(next);
  if (byTyping) settle();
}

export function setAll(values) {
  const { answer } = now();
  change({ values, typed: {}, ghost: answer });
  remember(values);
  look(values);
  settle();
}

// What is kept back stays so.
export const backToLive = () => setAll({ ...now().live, ...(now().kept && { end_date: now().values.end_date }) });

// How many days are kept back.
export const daysKept = ({ kept, values }) => (kept ? Math.round((Date.parse(kept) - Date.parse(values.end_date)) / 86400e3) : 0);

// Keeps the last share of the period back: its days are in no figure, and not drawn, until `reveal`.
export function keepBack(share) {
  const { values, kept } = now();
  const last = kept ?? values.end_date;
  const length = (Date.parse(last) - Date.parse(values.start_date)) / 86400e3 + 1;
  const back = Math.min(length - 1, Math.round(length * share));
  keepsBack(back > 0 ? last : null);
  setAll({ ...values, end_date: back > 0 ? daysBefore(last, back) : last });
  // The curve before would draw them.
  change({ ghost: null });
}
export const reveal = () => keepBack(0);

function keepsBack(last) {
  if (last) sessionStorage.setItem(KEPT_BACK, last);
  else sessionStorage.removeItem(KEPT_BACK);
  change({ kept: last });
}

export function lock(name) {
  const locked = new Set(now().locked);
  if (!locked.delete(name)) locked.add(name);
  change({ locked });
}

// Steps of a parameter for a grid, within its range.
export function steps(parameter, count = 5) {
  const { values, live } = now();
  const { minimum, maximum, step, digits } = range(parameter, values, live);
  const at = Number(values[parameter.name] ?? minimum);
  const low = Math.max(minimum, at - (maximum - minimum) / 8);
  const high = Math.min(maximum, at + (maximum - minimum) / 8);
  const points = Array.from({ length: count }, (_, index) => low + ((high - low) * index) / (count - 1));
  return [...new Set(points.map((point) => (minimum + Math.round((point - minimum) / step) * step).toFixed(digits)).map((text) => String(Number(text))))];
}

// The server went away, or does not know the token: the page says so, and goes on when it can.
let waiting = null;
api.onProblem((problem) => {
  if (problem.unknownToken) change({ phase: 'token' });
  if (!problem.gone) return;
  change({ away: true });
  if (waiting) return;
  const wait = async (pause) => {
    if (await api.healthy()) {
      waiting = null;
      await back();
    } else waiting = setTimeout(() => wait(Math.min(pause * 1.5, 5000)), pause);
  };
  waiting = setTimeout(() => wait(1000), 500);
});

async function back() {
  if (now().phase === 'starting') return start();
  try {
    const status = await api.get('status');
    change({ status, away: false, phase: 'ready', problem: null });
    look(now().values);
    settle();
  } catch {
    // Said by the listener above: a token that is not known, or a server that has gone again.
  }
}

// A new link or token, or a user's name and password, without losing what is set.
export async function enter(credentials) {
  api.give(credentials);
  const status = await api.get('status');
  if (!now().parameters.length) {
    change({ status, phase: 'starting' });
    await start();
    return true;
  }
  change({ status, phase: 'ready', away: false, problem: null });
  look(now().values);
  settle();
  return true;
}
