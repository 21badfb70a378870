// The report: one file, read without a server.

import { statSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { assert, backtest, command, equal, figures, open, settings, shots, sql, test, text, until } from './harness.js';

test('a report of a stored run says what the run says, in one file without a network', async () => {
  sql(`call run_backtest(${settings({ score_threshold: 76, stop_loss_percent: 8 })}, label => 'for a <report>')`);
  const { id } = sql("select id from backtests where label = 'for a <report>'")[0];
  const file = `${shots}/report.html`;
  command('report', id, '-o', file);
  const { size } = statSync(file);
  assert.ok(size < 4 << 20, `${size} bytes`);
  for (const [width, theme] of [[1440, 'light'], [390, 'dark']]) {
    const { page, close } = await open({ at: pathToFileURL(file).href, width, theme });
    const requests = [];
    page.on('request', (request) => requests.push(request.url()));
    await until(page, 'the report', () => document.body.dataset.drawn);
    const row = backtest({ score_threshold: 76, stop_loss_percent: 8 });
    const shown = await figures(page);
    for (const [metric, [actual, simulated]] of Object.entries(shown)) {
      equal(actual, row[`actual_${metric}`], metric);
      equal(simulated, row[`simulated_${metric}`], metric);
    }
    const titles = await page.$$eval('h2', (all) => all.map((each) => each.firstChild.textContent.trim()));
    assert.deepEqual(titles, ['The question', 'How far to believe it', 'Figures', 'The curves', 'What would have changed', 'How trades ended', 'Gaps', 'Exposure', 'Costs', 'Assumptions', 'The data', 'Manifest']);
    assert.match(await text(page, '.report'), /for a <report>/);
    assert.deepEqual(requests, []);
    await page.screenshot({ path: `${shots}/report-${width}-${theme}.png`, fullPage: true });
    await close();
  }
  return `${(size / 1e6).toFixed(2)} MB`;
});
