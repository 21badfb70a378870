// The report: one file, read without a server.

import { statSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { assert, backtest, command, equal, figures, open, press, saved, settings, settled, shots, sql, test, text, until } from './harness.js';

test('a report of a stored run says what the run says, in one file without a network', async () => {
  sql(`call run_backtest(${settings({ score_threshold: 76, stop_loss_percent: 8 })}, label => 'for a <report>')`);
  const { id } = sql("select id from backtests where label = 'for a <report>'")[0];
  const file = `${shots}/report.html`;
  command('report', id, '-o', file);
  const { size } = statSync(file);
  assert.ok(size < 4e6, `${size} bytes`);
  let drawn = 0;
  for (const [width, theme] of [[1440, 'light'], [390, 'dark']]) {
    const { page, close } = await open({ at: pathToFileURL(file).href, width, theme });
    const requests = [];
    page.on('request', (request) => requests.push(request.url()));
    await until(page, 'the report', () => document.body.dataset.drawn);
    drawn = Math.max(drawn, await page.evaluate(() => Number(document.body.dataset.drawn)));
    assert.ok(drawn < 2000, `drawn after ${drawn} ms`);
    const row = backtest({ score_threshold: 76, stop_loss_percent: 8 });
    const shown = await figures(page);
    for (const [metric, [actual, simulated]] of Object.entries(shown)) {
      equal(actual, row[`actual_${metric}`], metric);
      equal(simulated, row[`simulated_${metric}`], metric);
    }
    const titles = await page.$$eval('h2', (all) => all.map((each) => each.firstChild.textContent.trim()));
    assert.deepEqual(titles, ['The question', 'How far to believe it', 'Figures', 'The curves', 'What would have changed', 'How trades ended', 'Gaps', 'Exposure', 'Costs', 'The sweep it came from', 'Assumptions', 'The data', 'Manifest']);
    assert.match(await text(page, '.report'), /for a <report>/);
    assert.deepEqual(requests, []);
    await page.screenshot({ path: `${shots}/report-${width}-${theme}.png`, fullPage: true });
    await close();
  }
  return `${(size / 1e6).toFixed(2)} MB, drawn in ${drawn} ms`;
});

test('the page saves the same report', async () => {
  sql(`call run_backtest(${settings({ stop_loss_percent: 9 })}, label => 'from the page')`);
  const { id } = sql("select id from backtests where label = 'from the page'")[0];
  const { page, close } = await open({ view: `runs/${id}` });
  const { name, text: report } = await saved(page, 'Report');
  assert.ok(name.startsWith(`hindsight-${id.slice(0, 8)}`), name);
  await close();
  const file = `${shots}/from-the-page.html`;
  writeFileSync(file, report);
  const opened = await open({ at: pathToFileURL(file).href });
  await until(opened.page, 'the report', () => document.body.dataset.drawn);
  const row = backtest({ stop_loss_percent: 9 });
  const shown = await figures(opened.page);
  equal(shown.total_pnl_sol[1], row.simulated_total_pnl_sol, 'PnL');
  await opened.close();
});

test('a report has the sweep that its settings came from: its map, its best, and where they are', async () => {
  const { page, close } = await open({ view: 'sweep' });
  await until(page, 'the axes', () => document.querySelectorAll('.axis').length === 2);
  await press(page, 'Sweep');
  await until(page, 'the map', () => document.querySelector('.heat td.is-best'));
  const axes = await page.$$eval('.axis input', (inputs) => inputs.map((input) => input.value));
  const map = () => [...document.querySelectorAll('.heat tbody tr')].map((row) => [...row.children].map((cell) => cell.textContent));
  const onPage = await page.evaluate(map);
  await page.click('.heat td.is-best button');
  await settled(page);
  await press(page, 'Store this run');
  await page.type('#run-label', 'out of a sweep');
  await page.keyboard.press('Enter');
  await press(page, 'See it');
  await until(page, 'the run', () => document.querySelector('.run-head b'));
  const [{ id }] = sql("select id from backtests where label = 'out of a sweep'");
  const { text: report } = await saved(page, 'Report');
  await close();
  writeFileSync(`${shots}/of-a-sweep.html`, report);
  const byCommand = `${shots}/of-a-sweep-by-command.html`;
  command('report', id, '-o', byCommand, '--sweep', `score_threshold=${axes[0].replaceAll(' ', '')}`, '--sweep', `stop_loss_percent=${axes[1].replaceAll(' ', '')}`);
  for (const file of [`${shots}/of-a-sweep.html`, byCommand]) {
    const opened = await open({ at: pathToFileURL(file).href });
    await until(opened.page, 'the report', () => document.body.dataset.drawn);
    assert.deepEqual(await opened.page.evaluate(map), onPage);
    assert.ok(await opened.page.$('.heat td.is-best.is-here'), 'the run is the best of it');
    assert.match(await text(opened.page, '.worth'), /49 combinations were tried.*Probability of overfitting/);
    await opened.close();
  }
});
