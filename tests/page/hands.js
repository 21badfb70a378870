// What hands do: drag, scroll, type nonsense, sweep, compare, and leave the page open while the server goes.

import { address, assert, backtest, equal, link, open, press, read, same, saved, serve, settings, settled, sql, stop, test, text, type, until } from './harness.js';

// Frames while something happens: the median and the longest time between two.
const watch = (page) => page.evaluate(() => {
  window.frames_ = [];
  let last = performance.now();
  const step = (now) => {
    window.frames_.push(now - last);
    last = now;
    window.frame_ = requestAnimationFrame(step);
  };
  window.frame_ = requestAnimationFrame(step);
});
const watched = (page) => page.evaluate(() => {
  cancelAnimationFrame(window.frame_);
  const sorted = window.frames_.slice(1).sort((a, b) => a - b);
  return { count: sorted.length, median: sorted[sorted.length >> 1], longest: sorted[sorted.length - 1] };
});

test('a drag over 40 positions asks one at a time and ends at the last', async () => {
  const { page, close } = await open();
  await settled(page);
  let under = 0;
  let most = 0;
  let asked = 0;
  const drawing = (request) => request.url().endsWith('/api/v1/live') && !JSON.parse(request.postData()).response;
  page.on('request', (request) => {
    if (!drawing(request)) return;
    asked += 1;
    most = Math.max(most, ++under);
  });
  const over = (request) => drawing(request) && (under -= 1);
  page.on('requestfinished', over);
  page.on('requestfailed', over);
  await page.evaluate(() => {
    window.drawn = 0;
    new MutationObserver(() => (window.drawn += 1)).observe(document.querySelector('[data-metric=total_pnl_sol] .simulated'), { characterData: true, subtree: true, childList: true });
  });
  const slider = await page.$('[data-parameter=score_threshold] input[type=range]');
  const box = await slider.boundingBox();
  const y = box.y + box.height / 2;
  const x = (share) => box.x + 6 + (box.width - 12) * share;
  await page.mouse.move(x(0.7), y);
  await page.mouse.down();
  await watch(page);
  for (let step = 1; step <= 40; step++) {
    await page.mouse.move(x(0.7 + step * 0.005), y);
    await new Promise((done) => setTimeout(done, 25));
  }
  const frames = await watched(page);
  const drawn = await page.evaluate(() => window.drawn);
  await page.mouse.up();
  const value = await page.$eval('#p-score_threshold', (field) => field.value);
  assert.equal(value, '90');
  await same(page, { score_threshold: value });
  assert.ok(frames.median <= 50 && frames.longest <= 250, `frames: median ${frames.median} ms, longest ${frames.longest} ms`);
  assert.equal(most, 1, 'one request is in flight at most');
  assert.ok(asked <= 45, `asked ${asked} times for 40 positions`);
  assert.ok(drawn <= asked, `drawn ${drawn} times for ${asked} answers`);
  await until(page, 'the curve before the drag', (pnl) => document.querySelector('.plot').getAttribute('aria-label').includes(`before ${pnl} SOL`), read(String(Number(backtest({}).simulated_total_pnl_sol))));
  await close();
  return `${asked} answers, ${drawn} drawn; frames: median ${frames.median.toFixed(0)} ms, longest ${frames.longest.toFixed(0)} ms`;
});

test('the response curves are those of SQL', async () => {
  const { page, close } = await open();
  let curve = null;
  page.on('response', async (response) => {
    if (!response.url().endsWith('/api/v1/live') || !response.request().postData().includes('"response":["stop_loss_percent"]')) return;
    const body = await response.buffer();
    curve ??= JSON.parse(body.subarray(8, 8 + body.readUInt32LE(4)).toString()).response[0];
  });
  await settled(page);
  await until(page, 'a response curve under the slider', () => document.querySelector('[data-parameter=stop_loss_percent] .curve .level'));
  assert.equal(curve.parameter, 'stop_loss_percent');
  const rows = sql(`select stop_loss_percent as x, simulated_total_pnl_sol as pnl, simulated_pnl_conservative_sol as worst from backtest(${settings()}, stop_loss_percent => [${curve.values.join()}])`);
  assert.deepEqual(curve.simulated_total_pnl_sol.map(Number), rows.map((row) => Number(row.pnl)));
  assert.deepEqual(curve.simulated_pnl_conservative_sol.map(Number), rows.map((row) => Number(row.worst)));
  const best = rows.reduce((a, b) => (Number(b.pnl) > Number(a.pnl) ? b : a));
  assert.match(await text(page, '#p-stop_loss_percent-says'), new RegExp(`best at ${Number(best.x)},`));
  await close();
});

test('36,000 rows scroll without a blank frame', async () => {
  const { page, close } = await open({ view: 'trades' });
  await until(page, 'the table', () => document.querySelector('.grid .row'));
  const blank = await page.evaluate(async () => {
    const grid = document.querySelector('.grid');
    const frame = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    const height = grid.scrollHeight - grid.clientHeight;
    let blanks = 0;
    for (let step = 0; step <= 60; step++) {
      grid.scrollTop = (height * step) / 60;
      await frame();
      const box = grid.getBoundingClientRect();
      for (const share of [0.1, 0.5, 0.9]) {
        const at = document.elementFromPoint(box.left + 40, box.top + 28 + (box.height - 30) * share);
        if (!at?.closest('.row')) blanks += 1;
      }
    }
    return { blanks, rows: document.querySelectorAll('.grid .row').length, last: Number([...document.querySelectorAll('.grid .row')].at(-1).getAttribute('aria-rowindex')) };
  });
  assert.equal(blank.blanks, 0);
  assert.ok(blank.rows < 250, `${blank.rows} rows are in the document`);
  assert.equal(blank.last, 36001);
  await close();
});

test('what is filtered and saved as CSV is what SQL says', async () => {
  const { page, close } = await open({ view: 'trades' });
  await until(page, 'the table', () => document.querySelector('.grid .row'));
  await page.select('.filters select[aria-label=Change]', 'skipped');
  const rows = sql(`select signal_id, actual_pnl_sol from compare_trades(${settings()}) where change = 'skipped'`);
  await until(page, 'the skipped', (wanted) => document.querySelector('.grid').getAttribute('aria-rowcount') === wanted, String(rows.length + 1));
  const { name, text: csv } = await saved(page, 'Download CSV');
  assert.equal(name, 'trades.csv');
  const [head, ...lines] = csv.split('\r\n').map((line) => line.split(','));
  assert.equal(lines.length, rows.length);
  const of = Object.fromEntries(lines.map((line) => [line[head.indexOf('signal_id')], line[head.indexOf('actual_pnl_sol')]]));
  for (const row of rows) assert.equal(Number(of[row.signal_id]), Number(row.actual_pnl_sol));
  await close();
});

test('a response curve stands under the chart of a phone, too', async () => {
  const { page, close } = await open({ width: 390 });
  await settled(page);
  await until(page, 'its curve', () => document.querySelector('.dock .curve .level'));
  await page.select('.dock select', 'stop_loss_percent');
  await until(page, 'that of another parameter', () => document.querySelector('.dock #dock-p-stop_loss_percent') && document.querySelector('.dock .curve .level'));
  await page.focus('.dock input[type=range]');
  await page.keyboard.press('ArrowLeft');
  const value = await page.$eval('#dock-p-stop_loss_percent', (field) => field.value);
  assert.notEqual(value, '15');
  await same(page, { stop_loss_percent: value });
  await close();
});

test('the last days are kept back, in no figure, until they are revealed', async () => {
  const { page, close } = await open();
  await settled(page);
  await page.select('#keep-back', '0.2');
  const within = (end) => sql(`select simulated_total_pnl_sol as pnl from backtest(start_date => '2025-01-01', end_date => '${end}')`)[0].pnl;
  const shows = (pnl) => until(page, `${pnl} SOL`, (wanted) => document.querySelector('[data-metric=total_pnl_sol] .simulated').textContent.replace('−', '-') === wanted, Number(pnl).toFixed(4));
  await shows(within('2025-05-24'));
  assert.match(await text(page, '.kept-back'), /The last 36 days are kept back/);
  assert.equal(await page.$eval('#p-end_date', (field) => field.value), '2025-05-24');
  await type(page, 'score_threshold', '76');
  await press(page, 'Back to live settings');
  await shows(within('2025-05-24'));
  await settled(page);
  await page.reload();
  await settled(page);
  await shows(within('2025-05-24'));
  await press(page, 'Reveal');
  await shows(within('2025-06-29'));
  assert.equal(await page.$('.kept-back'), null);
  await close();
});

test('locked weights stay while others give way', async () => {
  const { page, close } = await open();
  await settled(page);
  await page.click('[data-parameter=liquidity_weight] .lock');
  await type(page, 'wallet_score_weight', '0.5');
  const weights = await page.$$eval('[data-parameter$=_weight] .field', (fields) => Object.fromEntries(fields.map((field) => [field.id.slice(2), field.value])));
  assert.equal(weights.liquidity_weight, '0.2');
  assert.equal(weights.wallet_score_weight, '0.5');
  assert.equal(Object.values(weights).reduce((sum, each) => sum + Math.round(each * 1e4), 0), 10000);
  await same(page, weights);
  await close();
});

test('what is typed wrongly stays, with its reason beside it', async () => {
  const { page, close } = await open();
  await settled(page);
  await type(page, 'stop_loss_percent', '60');
  assert.equal(await text(page, '#p-stop_loss_percent-problem'), 'stop_loss_percent must be between 1 and 50, found 60');
  await type(page, 'score_threshold', 'many');
  assert.match(await text(page, '#p-score_threshold-problem'), /must be a number/);
  assert.equal(await page.$eval('#p-stop_loss_percent', (field) => field.value), '60', 'nothing typed is lost');
  assert.equal(await page.$eval('footer .main', (button) => button.disabled), true, 'what is wrong is not stored');
  await type(page, 'stop_loss_percent', '10');
  await type(page, 'score_threshold', '72');
  await same(page, { stop_loss_percent: '10', score_threshold: '72' });
  await close();
});

test('a sweep shows its progress, its map and its best, equal to SQL', async () => {
  const { page, close } = await open({ view: 'sweep' });
  await until(page, 'the axes', () => document.querySelectorAll('.axis').length === 2);
  await press(page, 'Sweep');
  await until(page, 'the map', () => document.querySelector('.heat td.is-best'));
  const axes = await page.$$eval('.axis input', (inputs) => inputs.map((input) => input.value.split(', ')));
  const rows = sql(`select score_threshold, stop_loss_percent, pnl_difference_sol from backtest(${settings()}, score_threshold => [${axes[0]}], stop_loss_percent => [${axes[1]}])`);
  const cells = await page.$$eval('.heat tbody tr', (found) => found.map((row) => [...row.querySelectorAll('td')].map((cell) => cell.textContent)));
  axes[1].forEach((stopLoss, y) => axes[0].forEach((score, x) => {
    const row = rows.find((each) => Number(each.score_threshold) === Number(score) && Number(each.stop_loss_percent) === Number(stopLoss));
    assert.ok(Math.abs(Number(read(cells[y][x])) - Number(row.pnl_difference_sol)) <= 0.00501, `${score}, ${stopLoss}`);
  }));
  assert.match(await text(page, '.worth'), /combinations were tried/);
  const best = rows.reduce((a, b) => (Number(b.pnl_difference_sol) > Number(a.pnl_difference_sol) ? b : a));
  const edge = [[axes[0], best.score_threshold], [axes[1], best.stop_loss_percent]].some(([list, at]) => [list[0], list.at(-1)].some((end) => Number(end) === Number(at)));
  assert.equal(/on the edge of the grid/.test(await text(page, '.heat .ground')), edge);
  await page.click('.heat td.is-best button');
  await same(page, { score_threshold: best.score_threshold, stop_loss_percent: best.stop_loss_percent });
  await close();
});

test('a sweep can be stopped', async () => {
  const { page, close } = await open({ view: 'sweep' });
  await until(page, 'the axes', () => document.querySelectorAll('.axis').length === 2);
  await press(page, 'Add a parameter');
  const range = (from, to) => Array.from({ length: to - from + 1 }, (_, index) => from + index).join(' ');
  const fields = await page.$$('.axis input');
  for (const [field, steps] of [[fields[0], range(1, 90)], [fields[1], range(1, 49)], [fields[2], range(10, 60)]]) {
    await field.evaluate((element) => element.select());
    await field.evaluate((element, value) => { element.value = value; element.dispatchEvent(new Event('input', { bubbles: true })); }, steps);
  }
  await until(page, 'the number of combinations', () => /combinations in about/.test(document.querySelector('.start p').textContent));
  await press(page, 'Sweep');
  await until(page, 'the best so far', () => /best so far/.test(document.querySelector('.progress')?.textContent ?? ''));
  await press(page, 'Stop');
  await until(page, 'that it has stopped', () => !document.querySelector('.progress') && [...document.querySelectorAll('.start button')].some((button) => button.textContent === 'Sweep'));
  assert.equal(await page.$('.trouble'), null);
  await close();
});

// What storing says of the tries before it is held to what SQL makes of the same grid.
test('the settings tried go into the deflated Sharpe ratio of what is stored', async () => {
  const { page, close } = await open({ view: 'sweep' });
  await until(page, 'the axes', () => document.querySelectorAll('.axis').length === 2);
  await press(page, 'Sweep');
  await until(page, 'the map', () => document.querySelector('.heat td.is-best'));
  const axes = await page.$$eval('.axis input', (inputs) => inputs.map((input) => input.value));
  const grid = `${settings()}, score_threshold => [${axes[0]}], stop_loss_percent => [${axes[1]}]`;
  const [wanted] = sql(`select combinations, score_threshold, stop_loss_percent, deflated_sharpe_ratio from overfitting(${grid})`);
  await page.evaluate(() => void (location.hash = '#/what-if'));
  await settled(page);
  for (const name of ['score_threshold', 'stop_loss_percent']) await type(page, name, Number(wanted[name]));
  await same(page, { score_threshold: wanted.score_threshold, stop_loss_percent: wanted.stop_loss_percent });
  const tried = Number(/(\d+) settings tried/.exec(await text(page, '.ground'))[1]);
  // All that was looked at is in the grid, but what lies between the two that were typed.
  assert.ok(tried === Number(wanted.combinations) || tried === Number(wanted.combinations) + 1, `${tried} of ${wanted.combinations}`);
  await press(page, 'Store this run');
  await page.type('#run-label', 'the best by its ratio');
  await page.keyboard.press('Enter');
  await press(page, 'See it');
  await until(page, 'how it was chosen', (count) => document.querySelector('.run')?.textContent.includes(`Chosen after ${count} settings`), tried);
  const [stored] = sql("select combinations_tried, deflated_sharpe_ratio from backtests where label = 'the best by its ratio'");
  assert.equal(Number(stored.combinations_tried), tried);
  const [is, be] = [stored, wanted].map((row) => Number(row.deflated_sharpe_ratio));
  if (tried === Number(wanted.combinations)) assert.ok(Math.abs(is - be) <= 1e-3 * be, `${is}, and SQL says ${be}`);
  await close();
  return `${is} after ${tried}`;
});

test('runs are found, laid over each other, and deleted', async () => {
  const { page, close } = await open();
  for (const [stopLoss, label] of [['11', 'first of two'], ['22', 'second of two']]) {
    await settled(page);
    await type(page, 'stop_loss_percent', stopLoss);
    await same(page, { stop_loss_percent: stopLoss });
    await press(page, 'Store this run');
    await page.type('#run-label', label);
    await page.keyboard.press('Enter');
    await press(page, 'Go on');
  }
  await page.evaluate(() => void (location.hash = '#/runs'));
  await page.waitForSelector('.filters input[type=search]');
  await page.type('.filters input[type=search]', 'of two');
  await until(page, 'two runs', () => document.querySelectorAll('[data-run]').length === 2);
  for (const box of await page.$$('[data-run] input')) await box.click();
  await until(page, 'both curves', () => document.querySelectorAll('.overlay path.line').length === 2);
  const compared = await page.$$eval('.compared tbody tr', (rows) => rows.map((row) => [...row.children].map((cell) => cell.textContent)));
  assert.deepEqual(compared.find(([name]) => name === 'Stop loss').slice(1, 3).sort(), ['11', '22']);
  for (let left = 2; left > 0; left--) {
    await press(page, 'Delete', '[data-run] button');
    await press(page, 'Delete', 'dialog .main');
    await until(page, 'that it is gone', (wanted) => document.querySelectorAll('[data-run]').length === wanted, left - 1);
  }
  assert.equal(sql("select count(*) as n from backtests where label like '% of two'")[0].n, '0');
  await close();
});

test('how far to believe it: calibration, interval, walk-forward, data', async () => {
  const { page, close } = await open({ view: 'trust' });
  await until(page, 'the calibration', () => document.querySelector('.scatter svg'));
  await until(page, 'the interval', () => document.querySelectorAll('.interval tbody tr').length >= 2);
  await press(page, 'Walk forward');
  await until(page, 'the folds', () => /folds/.test(document.querySelector('[aria-label=Walk-forward]').textContent) && document.querySelectorAll('[aria-label=Walk-forward] tbody tr').length > 3);
  await close();
});

test('a server that goes away is said; its return asks for the new link, and nothing is lost', async () => {
  const { page, close } = await open({ quiet: false });
  await settled(page);
  await type(page, 'stop_loss_percent', '13');
  await settled(page);
  const http = address();
  await stop();
  await type(page, 'score_threshold', '74');
  await until(page, 'that the server is away', () => document.querySelector('.away'));
  assert.equal(await page.$eval('#p-score_threshold', (field) => field.value), '74');
  await page.evaluate(() => void (location.hash = '#/runs'));
  await until(page, 'that there are no runs now', () => document.querySelector('.runs .trouble'));
  await serve(http);
  await until(page, 'the question for the link', () => document.querySelector('#link'));
  await page.type('#link', link());
  await page.keyboard.press('Enter');
  await until(page, 'the page again', () => !document.querySelector('#link') && !document.querySelector('.away'));
  await until(page, 'the runs, by itself', () => document.querySelector('[data-run], .runs .empty') && !document.querySelector('.trouble'));
  await page.evaluate(() => void (location.hash = '#/what-if'));
  await same(page, { stop_loss_percent: '13', score_threshold: '74' });
  await close();
});
