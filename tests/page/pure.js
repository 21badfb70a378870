// What needs no browser: exact decimals, weights that keep their sum, one request in flight.

import { assert, test } from './harness.js';

const page = '../../src/server/http/page';
const numbers = await import(`${page}/numbers.js`);
const config = await import(`${page}/config.js`);
const { newestOnly } = await import(`${page}/newest.js`);

// Seeded, so that a failure is found again.
const random = (seed) => () => ((seed = (seed * 1103515245 + 12345) % 2147483648) / 2147483648);

test('decimals are exact and rounded half to even', () => {
  for (const [text, places, wanted] of [['0.125', 2, '0.12'], ['0.135', 2, '0.14'], ['-2.5', 0, '-2'], ['-3.5', 0, '-4'], ['9.9995', 3, '10.000'], ['123456789012345678901234567890.5', 0, '123456789012345678901234567890'], ['1e-9', 9, '0.000000001'], ['5', 2, '5.00']]) assert.equal(numbers.rounded(text, places), wanted, text);
  const next = random(1);
  for (let round = 0; round < 2000; round++) {
    const [a, b] = [0, 1].map(() => `${next() < 0.5 ? '-' : ''}${Math.floor(next() * 1e9)}.${String(Math.floor(next() * 1e9)).padStart(9, '0')}`);
    const units = (text) => BigInt(text.replace('.', '').replace('-', '')) * (text.startsWith('-') ? -1n : 1n);
    const difference = numbers.minus(a, b);
    assert.equal(units(difference), units(a) - units(b), `${a} - ${b}`);
    assert.equal(numbers.ordered(a, b), Math.sign(Number(units(a) - units(b))));
    assert.equal(numbers.minus(numbers.plus(a, b), b), numbers.minus(a, '0.000000000'));
  }
  assert.deepEqual(['−1', '+2', 'x', '', null, '.', '1.', '.5'].map((text) => numbers.decimal(text) !== null), [true, true, false, false, false, false, true, true]);
});

test('numbers are shown with all their digits, grouped, with a true minus', () => {
  for (const [text, options, wanted] of [['-1234567.8900', {}, '−1,234,567.89'], ['0', { signed: true }, '±0'], ['-0.001', { round: 2, signed: true }, '±0.00'], ['7.5', { least: 4 }, '7.5000'], [null, {}, '–'], ['12', { signed: true }, '+12'], ['0.0000000001', {}, '0.0000000001']]) assert.equal(numbers.shown(text, options), wanted);
});

test('weights keep their sum, whatever moves and whatever is locked', () => {
  const next = random(7);
  const names = ['a', 'b', 'c', 'd', 'e'];
  const units = (text) => Math.round(Number(text) * 1e4);
  for (let round = 0; round < 3000; round++) {
    const cuts = [...names.slice(1).map(() => Math.floor(next() * 10001)), 0, 10000].sort((x, y) => x - y);
    const values = Object.fromEntries(names.map((name, index) => [name, String((cuts[index + 1] - cuts[index]) / 1e4)]));
    const locked = new Set(names.filter(() => next() < 0.3));
    const moved = names[Math.floor(next() * 5)];
    const wanted = String(Math.floor(next() * 101) / 100);
    const after = { ...values, ...config.reweigh(values, names, moved, wanted, locked) };
    assert.equal(names.reduce((sum, name) => sum + units(after[name]), 0), 10000, JSON.stringify({ values, moved, wanted, locked: [...locked], after }));
    for (const name of names) {
      assert.ok(units(after[name]) >= 0 && units(after[name]) <= 10000, `${name} ${after[name]}`);
      if (locked.has(name) && name !== moved) assert.equal(after[name], values[name]);
    }
  }
});

test('a configuration survives its way to the server and back', () => {
  const parameters = [
    { name: 'exit_strategy', path: 'exit_strategy.strategy', kind: 'choice', default: 'trailing_stop' },
    { name: 'stop_loss_percent', path: 'exit_strategy.stop_loss_percent', kind: 'decimal', default: '15' },
    { name: 'max_open_positions', path: 'limits.max_open_positions', kind: 'integer', default: null },
    { name: 'include_gas_costs', path: 'include_gas_costs', kind: 'boolean', default: true },
    { name: 'a_parameter_of_tomorrow', path: 'a_group_of_tomorrow.a_parameter_of_tomorrow', kind: 'decimal', default: '1' },
  ];
  const values = { exit_strategy: 'hybrid', stop_loss_percent: '12.5', max_open_positions: '3', include_gas_costs: false, a_parameter_of_tomorrow: '2' };
  const nested = config.nested(values, parameters);
  assert.deepEqual(nested, { exit_strategy: { strategy: 'hybrid', stop_loss_percent: '12.5' }, limits: { max_open_positions: 3 }, include_gas_costs: false, a_group_of_tomorrow: { a_parameter_of_tomorrow: '2' } });
  assert.deepEqual(config.flat(nested, parameters), values);
  assert.deepEqual(config.nested({ ...values, max_open_positions: null }, parameters).limits, undefined);
});

test('one request is in flight, the newest waits, and those between are never sent', async () => {
  const sent = [];
  const answered = [];
  let done = null;
  const lane = newestOnly((job) => new Promise((resolve) => (sent.push(job), (done = () => resolve(job)))), (answer) => answered.push(answer), assert.fail);
  for (let job = 1; job <= 40; job++) lane.push(job);
  assert.deepEqual(sent, [1]);
  done();
  await new Promise(setImmediate);
  assert.deepEqual(sent, [1, 40]);
  done();
  await new Promise(setImmediate);
  assert.deepEqual(answered, [1, 40]);
  assert.ok(lane.idle);
});
