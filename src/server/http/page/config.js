// Settings as the page holds them, flat and as text (null: none), and as the server takes them, nested.

import { decimal, minus, ordered, places, plain, plus, rounded } from './numbers.js';

const place = (parameter) => {
  const [first, second] = parameter.path.split('.');
  return second ? [first, second] : [null, first];
};

const KINDS = { decimal: 'number', integer: 'number', boolean: 'switch', choice: 'choice', date: 'date', text: 'text' };
// How a parameter is set: number, switch, choice, date or text.
export const kind = (parameter) => KINDS[parameter.kind] ?? 'text';
const whole = (parameter) => parameter.kind === 'integer';

export const asText = (value) => (typeof value === 'number' ? plain(String(value)) : typeof value === 'string' && decimal(value) ? plain(value) : value ?? null);

// Flat values of a nested configuration.
export function flat(config, parameters) {
  const values = {};
  for (const parameter of parameters) {
    const [group, name] = place(parameter);
    const value = group ? config[group]?.[name] : config[name];
    values[parameter.name] = value === undefined ? asText(parameter.default) : asText(value);
  }
  return values;
}

const typed = (parameter, value) => {
  if (value === null || value === '') return null;
  if (kind(parameter) === 'switch') return value === true || value === 'true';
  return whole(parameter) ? Number(value) : String(value);
};

// The nested configuration of flat values. What is none is left out where none is the default.
export function nested(values, parameters) {
  const config = {};
  for (const parameter of parameters) {
    const value = typed(parameter, values[parameter.name] ?? null);
    if (value === null && (parameter.default === null || parameter.default === undefined)) continue;
    const [group, name] = place(parameter);
    if (group) (config[group] ??= {})[name] = value;
    else config[name] = value;
  }
  return config;
}

export const same = (left, right) => {
  if (left === right) return true;
  if (left === null || right === null || left === undefined || right === undefined) return (left ?? null) === (right ?? null);
  const [a, b] = [decimal(left), decimal(right)];
  return a && b ? ordered(left, right) === 0 : String(left) === String(right);
};

export const differing = (left, right, parameters) =>
  parameters.filter((parameter) => !same(left[parameter.name], right[parameter.name]));

const nice = (number) => {
  const power = 10 ** Math.floor(Math.log10(number));
  const lead = number / power;
  return (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10) * power;
};

// What a slider goes over: the parameter's own range, and where that has no end five times the greatest
// value at hand, or a hundred steps where there is none: as far as its response curve goes. Where the live value is no whole number of steps away, the step is finer.
export function range(parameter, values, live) {
  const at = [parameter.default, values[parameter.name], live[parameter.name]].map(Number).filter((number) => number > 0);
  const bound = Number(parameter.minimum ?? 0);
  const maximum = parameter.maximum === null || parameter.maximum === undefined
    ? Number((at.length ? 5 * Math.max(...at) : 100 * (Number(parameter.step) || 1)).toPrecision(6))
    : Number(parameter.maximum);
  let step = Number(parameter.step) || nice((maximum - bound) / 200);
  if (whole(parameter)) step = Math.max(1, Math.round(step));
  else while (step > (maximum - bound) / 20) step /= 10;
  const minimum = parameter.above_minimum ? Number((bound + step).toPrecision(12)) : bound;
  return { minimum, maximum, step, digits: Math.max(places(String(step)), places(String(minimum))) };
}

// Why a text is no value of the parameter, or null.
export function wrong(parameter, text) {
  const name = parameter.name;
  if (kind(parameter) === 'date' && (!/^\d{4}-\d\d-\d\d$/.test(text) || Number.isNaN(Date.parse(text)))) return `${name} must be a day such as 2025-01-31, found ${text === '' ? 'nothing' : `"${text}"`}`;
  if (kind(parameter) !== 'number' || text === null) return null;
  const number = decimal(text);
  if (!number) return `${name} must be a number, found ${text === '' ? 'nothing' : `"${text}"`}`;
  const { minimum, maximum, above_minimum: open } = parameter;
  const none = (bound) => bound === null || bound === undefined;
  const below = !none(minimum) && ordered(text, String(minimum)) < (open ? 1 : 0);
  const above = !none(maximum) && ordered(text, String(maximum)) > 0;
  if (below || above) {
    const bounds = none(maximum) ? `${open ? 'above' : 'at least'} ${minimum}` : open ? `above ${minimum} and at most ${maximum}` : `between ${minimum} and ${maximum}`;
    return `${name} must be ${bounds}, found ${text}`;
  }
  if (whole(parameter) && places(text) > 0) return `${name} must be a whole number, found ${text}`;
  return null;
}

const WEIGHT_PLACES = 4;

// Sets one weight; the others that are not locked give way in proportion, so that the sum stays what it
// was. What rounding leaves goes to the largest of them. Answers the values that changed.
export function reweigh(values, names, moved, wanted, locked) {
  const sum = names.reduce((total, name) => plus(total, values[name]), '0');
  const fixed = names.filter((name) => name !== moved && locked.has(name)).reduce((total, name) => plus(total, values[name]), '0');
  const others = names.filter((name) => name !== moved && !locked.has(name));
  let room = minus(sum, fixed);
  if (others.length === 0) return {};
  const value = ordered(wanted, room) > 0 ? plain(room) : wanted;
  room = minus(room, value);
  const before = others.map((name) => Number(values[name]));
  const total = before.reduce((a, b) => a + b, 0);
  const next = { [moved]: value };
  let given = '0';
  others.forEach((name, index) => {
    const share = total > 0 ? before[index] / total : 1 / others.length;
    next[name] = plain(rounded((Number(room) * share).toFixed(8), WEIGHT_PLACES));
    given = plus(given, next[name]);
  });
  const largest = others.reduce((a, b) => (Number(next[b]) > Number(next[a]) ? b : a));
  next[largest] = plain(plus(next[largest], minus(room, given)));
  return next;
}
