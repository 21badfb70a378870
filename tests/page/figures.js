// Every number that the views show is the one that SQL has for the same settings.

import { assert, backtest, equal, open, press, read, same, settings, settled, sql, test, text, type, until } from './harness.js';

const near = (shown, wanted, places, what) => assert.ok(Math.abs(Number(read(shown)) - Number(wanted)) <= 0.5000001 * 10 ** -places, `${what}: ${shown} and not ${wanted}`);
const cells = (page, selector) => page.$$eval(selector, (rows) => rows.map((row) => [...row.children].map((cell) => cell.textContent.trim())));

test('the what-if: verdict, interval, changes and exits are those of SQL, and a look stores nothing', async () => {
  const stored = () => sql('select count(*) as n from backtests')[0].n;
  const before = stored();
  const { page, close } = await open();
  await settled(page);
  const values = { score_threshold: '73', trailing_stop_percent: '12' };
  for (const [name, value] of Object.entries(values)) await type(page, name, value);
  const { row } = await same(page, values);
  await settled(page);
  const [interval] = sql(`select * from pnl_interval(${settings(values)}) where method = 'token'`);
  const ground = await text(page, '.ground');
  const [, low, high] = /between (\S+) and (\S+) with/.exec(ground);
  near(low, interval.lower_sol, 1, 'lower');
  near(high, interval.upper_sol, 1, 'upper');
  near(/Really made: (\S+) SOL/.exec(ground)[1], row.actual_total_pnl_sol, 2, 'really made');
  const worst = Number(row.simulated_pnl_conservative_sol) - Number(row.actual_total_pnl_sol);
  assert.ok((await text(page, '.sentence')).includes(Math.abs(worst).toFixed(2)), await text(page, '.sentence'));
  assert.ok((await text(page, '.changed h2')).replaceAll(',', '').includes(`${row.trades_changed} of ${row.total_signals} signals`));
  const largest = sql(`select actual_pnl_sol, simulated_pnl_sol from compare_trades(${settings(values)}) where change <> 'unchanged' order by abs(coalesce(simulated_pnl_sol, 0) - coalesce(actual_pnl_sol, 0)) desc limit 8`);
  const changed = await cells(page, '.changed tbody tr');
  assert.equal(changed.length, 8);
  changed.forEach(([, , actual, simulated], index) => {
    for (const [shown, wanted] of [[actual, largest[index].actual_pnl_sol], [simulated, largest[index].simulated_pnl_sol]]) {
      if (wanted === null) assert.equal(shown, '–');
      else near(shown, wanted, 4, `change ${index}`);
    }
  });
  const exits = sql(`select exit_reason, sum(net_pnl_sol) as pnl from simulate_trades(${settings(values)}) group by exit_reason`);
  const shown = await page.$$eval('[data-exit]', (rows) => rows.map((each) => [each.dataset.exit, each.querySelectorAll('td')[2].textContent]));
  assert.equal(shown.length, exits.length);
  for (const [reason, pnl] of shown) near(pnl, exits.find((each) => each.exit_reason === reason).pnl, 2, reason);
  assert.equal(stored(), before);
  await close();
});

test('the curve before the last move stays as a ghost', async () => {
  const { page, close } = await open();
  await settled(page);
  const [before, after] = [backtest({}), backtest({ score_threshold: '90' })];
  await type(page, 'score_threshold', '90');
  await same(page, { score_threshold: '90' });
  await settled(page);
  const says = await page.$eval('.plot', (plot) => plot.getAttribute('aria-label'));
  for (const [side, row] of [['simulated', after], ['before', before]]) equal(new RegExp(`${side} (\\S+) SOL`).exec(says)[1], row.simulated_total_pnl_sol, side);
  const picture = () => page.$eval('.plot canvas', (canvas) => [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data]);
  const withGhost = await picture();
  await page.reload();
  await settled(page);
  await same(page, { score_threshold: '90' });
  assert.doesNotMatch(await page.$eval('.plot', (plot) => plot.getAttribute('aria-label')), /before/);
  const without = await picture();
  assert.equal(withGhost.length, without.length);
  let differing = 0;
  for (let at = 0; at < without.length; at += 4) if (withGhost[at] !== without[at] || withGhost[at + 2] !== without[at + 2]) differing += 1;
  assert.ok(differing > 300, `the picture differs in ${differing} points`);
  await close();
});

test('trades are sorted, filtered and opened as SQL has them', async () => {
  const { page, close } = await open({ view: 'trades' });
  await until(page, 'the table', () => document.querySelector('.grid .row'));
  const count = (wanted) => until(page, `${wanted} rows`, (n) => document.querySelector('.grid').getAttribute('aria-rowcount') === n, String(Number(wanted) + 1));
  const first = (column) => page.$eval('.grid .row', (row, at) => row.children[at].textContent, column);
  const [bounds] = sql(`select min(score) as low, max(score) as high, min(timestamp) as early from compare_trades(${settings()})`);
  await press(page, 'score', '.grid .head button');
  equal(await first(3), bounds.high, 'the highest score');
  await press(page, 'score', '.grid .head button');
  equal(await first(3), bounds.low, 'the lowest score');
  await press(page, 'difference', '.grid .head button');
  const [skip] = sql(`select skip_reason, count(*) as n from compare_trades(${settings()}) where skip_reason is not null group by 1 order by 2, 1`);
  await page.select('.filters select[aria-label="Not traded for"]', skip.skip_reason);
  await count(skip.n);
  await page.select('.filters select[aria-label="Not traded for"]', '');
  const [wallet] = sql(`select source_wallet, count(*) as n from compare_trades(${settings()}) group by 1 order by 2 desc, 1`);
  await page.type('.filters input[type=search]', wallet.source_wallet);
  await count(wallet.n);
  const [exit] = sql(`select exit_reason, count(distinct signal_id) as n from simulate_trades(${settings()}) where source_wallet = '${wallet.source_wallet}' group by 1 order by 2 desc, 1`);
  await page.select('.filters select[aria-label="Ended by"]', exit.exit_reason);
  await count(exit.n);
  await page.click('.grid .row');
  await until(page, 'the price path', () => document.querySelector('.detail svg.price path.line'));
  const signal = await text(page, '.detail .ids code');
  const [trade] = sql(`select * from simulate_trades(${settings()}) where signal_id = '${signal}'`);
  const facts = Object.fromEntries(await page.$$eval('.facts dl:first-of-type dt', (terms) => terms.map((term) => [term.textContent, term.nextElementSibling.textContent])));
  assert.equal(facts['ended by'], trade.exit_reason.replaceAll('_', ' '));
  equal(facts.net, trade.net_pnl_sol, 'net');
  equal(facts.gross, trade.gross_pnl_sol, 'gross');
  equal(facts.position.replace(' SOL', ''), trade.position_size_sol, 'position');
  equal(/at (\S+)$/.exec(facts.in)[1], trade.entry_price, 'entry price');
  equal(/at (\S+)$/.exec(facts.out)[1], trade.exit_price, 'exit price');
  await press(page, 'Close', '.detail button');
  await until(page, 'that it is closed', () => !document.querySelector('.detail'));
  await page.keyboard.press('Enter');
  await page.waitForSelector('.detail');
  await page.keyboard.press('Escape');
  await until(page, 'that it is closed by Escape', () => !document.querySelector('.detail'));
  await until(page, 'the focus on the table', () => document.activeElement.matches('.grid'));
  await close();
});

test('a sweep of three parameters: largest over the third, or a slice of it, and what the best is worth', async () => {
  const { page, close } = await open({ view: 'sweep' });
  await until(page, 'the axes', () => document.querySelectorAll('.axis').length === 2);
  await press(page, 'Add a parameter');
  const wanted = { score_threshold: '65, 70, 75', stop_loss_percent: '8, 12, 16', max_open_positions: '5, 20' };
  await page.select('.axis:nth-of-type(3) select', 'max_open_positions');
  await page.waitForSelector('#axis-max_open_positions');
  for (const [name, steps] of Object.entries(wanted)) {
    await page.$eval(`#axis-${name}`, (field) => field.select());
    await page.type(`#axis-${name}`, steps);
  }
  await until(page, 'how many there are', () => /^18 combinations/.test(document.querySelector('.start p').textContent));
  await press(page, 'Sweep');
  await until(page, 'what the best is worth', () => /Probability of overfitting/.test(document.querySelector('.worth')?.textContent ?? ''));
  const grid = `${settings()}, ${Object.entries(wanted).map(([name, steps]) => `${name} => [${steps}]`).join(', ')}`;
  const rows = sql(`select score_threshold, stop_loss_percent, max_open_positions, pnl_difference_sol, simulated_win_rate from backtest(${grid})`);
  const holds = async (rows, column, reduce) => {
    const shown = await cells(page, '.heat tbody tr');
    shown.forEach(([stopLoss, ...across]) => across.forEach((cell, index) => {
      const score = wanted.score_threshold.split(', ')[index];
      const all = rows.filter((row) => Number(row.stop_loss_percent) === Number(stopLoss) && Number(row.score_threshold) === Number(score)).map((row) => Number(row[column]));
      near(cell, reduce(...all), 2, `${column} at ${stopLoss}, ${score}`);
    }));
  };
  await holds(rows, 'pnl_difference_sol', Math.max);
  await page.select('select[aria-label="Slice of Open at once"]', '20');
  await holds(rows.filter((row) => Number(row.max_open_positions) === 20), 'pnl_difference_sol', Math.max);
  await page.select('select[aria-label="What the map shows"]', 'simulated_win_rate');
  await holds(rows.filter((row) => Number(row.max_open_positions) === 20), 'simulated_win_rate', Math.max);
  const [worth] = sql(`select deflated_sharpe_ratio, probability_of_overfitting from overfitting(${grid})`);
  const percent = (number) => (number > 0 && number < 0.01 ? 'less than 1 %' : number < 1 && number > 0.99 ? 'more than 99 %' : `${(number * 100).toFixed(0)} %`);
  const says = await text(page, '.worth');
  assert.match(says, /^\s*18 combinations were tried/);
  assert.ok(says.includes(`tries is ${percent(Number(worth.deflated_sharpe_ratio))} likely`), says);
  assert.ok(says.includes(`Probability of overfitting: ${percent(Number(worth.probability_of_overfitting))}`), says);
  await close();
});

test('calibration, interval, folds and findings are those of SQL', async () => {
  const { page, close } = await open({ view: 'trust' });
  await until(page, 'the calibration', () => document.querySelector('.scatter svg'));
  await until(page, 'the interval', () => document.querySelectorAll('.interval tbody tr').length >= 2);
  const [summary] = sql(`select * from calibration(${settings()})`);
  const all = await page.$$eval('[data-figure]', (rows) => rows.map((row) => [row.dataset.figure, row.querySelector('td').textContent]));
  assert.ok(all.length >= 8, all.join());
  for (const [name, shown] of all) {
    if (name.startsWith('share_')) near(shown.replace(' %', ''), Number(summary[name]) * 100, 1, name);
    else near(shown, summary[name], 4, name);
  }
  const parts = ['decision', 'entry', 'exit', 'size_and_cost', 'unexplained'];
  const [means] = sql(`select ${parts.map((part) => `avg(cast(coalesce(${part}_error_sol, 0) as double)) as ${part}`).join(', ')} from calibrate_trades(${settings()})`);
  const shownParts = new Map(await cells(page, '.calibration > div:nth-child(2) table:first-of-type tbody tr'));
  for (const part of parts) near(shownParts.get(part.replaceAll('_', ' ')), means[part], 6, part);
  const intervals = sql(`select * from pnl_interval(${settings()})`);
  const shownIntervals = (await cells(page, '.interval tbody tr')).filter((row) => row.length === 7);
  assert.equal(shownIntervals.length, intervals.length);
  shownIntervals.forEach(([method, groups, estimate, lower, upper, , share], index) => {
    const row = intervals[index];
    assert.equal(method, row.method.replaceAll('_', ' '));
    equal(groups, row.groups, 'groups');
    for (const [shown, name] of [[estimate, 'estimate_sol'], [lower, 'lower_sol'], [upper, 'upper_sol']]) near(shown, row[name], 2, name);
    near(share.replace(' %', ''), Number(row.share_not_better) * 100, 1, 'share');
  });
  const [, thresholds, stops] = /over score at least (.+) and stop loss (.+)$/.exec(await text(page, '[aria-label=Walk-forward] .filters p'));
  await press(page, 'Walk forward');
  await until(page, 'the folds', () => document.querySelectorAll('[aria-label=Walk-forward] tbody tr').length > 3);
  const folds = sql(`select * from walk_forward(${settings()}, score_threshold => [${thresholds}], stop_loss_percent => [${stops}], train_days => 60, test_days => 14)`);
  const shownFolds = await cells(page, '[aria-label=Walk-forward] tbody tr');
  assert.equal(shownFolds.length, folds.length);
  shownFolds.forEach((row, index) => {
    const [trades, pnl, actual, rate] = row.slice(-5);
    equal(trades, folds[index].test_trades, 'trades');
    equal(pnl, folds[index].test_pnl_sol, 'PnL');
    equal(actual, folds[index].test_actual_pnl_sol, 'actual');
    equal(rate, folds[index].test_win_rate, 'win rate');
  });
  const findings = sql('select table_name, check_name, row_count from data_quality');
  const shownFindings = await cells(page, '.quality tbody tr');
  assert.equal(shownFindings.length, findings.length);
  shownFindings.forEach(([table, check, , rows], index) => {
    assert.equal(`${table} ${check}`, `${findings[index].table_name} ${findings[index].check_name}`.replaceAll('_', ' '));
    equal(rows, findings[index].row_count, check);
  });
  await close();
});

test('a stored run is shown as it is stored', async () => {
  sql(`call run_backtest(${settings({ score_threshold: 71, stop_loss_percent: 13 })}, label => 'to be looked at')`);
  const [row] = sql("select * from backtests where label = 'to be looked at'");
  const { page, close } = await open({ view: 'runs' });
  const line = await page.waitForSelector(`[data-run="${row.id}"]`);
  const [, , , , , trades, rate, pnl, difference] = await line.evaluate((each) => [...each.children].map((cell) => cell.textContent));
  for (const [shown, name] of [[trades, 'simulated_total_trades'], [rate, 'simulated_win_rate'], [pnl, 'simulated_total_pnl_sol'], [difference, 'pnl_difference_sol']]) equal(shown, row[name], name);
  await page.click(`[data-run="${row.id}"] a`);
  await until(page, 'its figures', () => document.querySelector('.run [data-metric]'));
  const figures = await page.$$eval('[data-metric]', (rows) => rows.map((each) => [each.dataset.metric, each.querySelectorAll('td')[1].textContent]));
  for (const [metric, shown] of figures) equal(shown, row[`simulated_${metric}`], metric);
  const exits = sql(`select exit_reason, count(*) as n from simulated_trades where backtest_id = '${row.id}' group by 1`);
  const shownExits = await page.$$eval('[data-exit]', (rows) => rows.map((each) => [each.dataset.exit, each.querySelector('td').textContent]));
  assert.deepEqual(Object.fromEntries(shownExits.map(([reason, n]) => [reason, read(n)])), Object.fromEntries(exits.map((each) => [each.exit_reason, each.n])));
  assert.match(await text(page, '.run'), /Other than the defaults: score at least 71, stop loss 13\./);
  await press(page, 'Open in the what-if');
  await same(page, { score_threshold: '71', stop_loss_percent: '13' });
  await close();
});

test('a part of a run is applied, without what the live system does not know, and is in the history', async () => {
  const live = () => Object.fromEntries(sql('select setting, value from live_settings').map((row) => [row.setting, row.value]));
  const before = live();
  sql(`call run_backtest(${settings({ score_threshold: 74, stop_loss_percent: 12, break_even_percent: 5 })}, label => 'in part')`);
  const [{ id }] = sql("select id from backtests where label = 'in part'");
  const { page, close } = await open({ view: `apply/${id}` });
  await page.waitForSelector('#short-id');
  await page.type('#short-id', await text(page, '.confirm code'));
  assert.match(await text(page, '.unable'), /break even 5/);
  const pressable = () => page.$eval('.confirm button', (button) => !button.disabled);
  assert.equal(await pressable(), false, 'not before it is said that it goes without');
  await page.click('.unable input');
  assert.equal(await pressable(), true);
  for (const group of await page.$$('.group-row')) if (/Exit/.test(await group.evaluate((each) => each.textContent))) await (await group.$('input')).click();
  await page.click('.confirm button');
  await until(page, 'that it was applied', () => document.querySelector('.done'));
  assert.deepEqual([Number(live().score_threshold), live().stop_loss_percent], [74, before.stop_loss_percent]);
  await until(page, 'it in the history', (run) => document.querySelector('[data-history] a')?.hash === `#/runs/${run}`, id);
  const [entry] = await cells(page, '[data-history]');
  const [row] = sql('select applied_by, changes_applied from settings_history order by applied_at desc limit 1');
  assert.equal(entry[1], row.applied_by);
  assert.match(entry[3], /threshold/);
  assert.doesNotMatch(entry[3], /exit|stop loss/);
  assert.match(await text(page, 'main > .ground'), new RegExp(`last changed .* by ${row.applied_by}`));
  await press(page, 'Undo', '[data-history] button');
  await press(page, 'Undo', 'dialog .main');
  await until(page, 'that it was undone', () => !document.querySelector('dialog') && /undone/.test(document.querySelector('[data-history]').textContent));
  assert.deepEqual(live(), before);
  await close();
});
