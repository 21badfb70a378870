// How people come and go: links, the back button, tabs, a slow server, a finger, the keyboard alone; and
// pages of others that would have this browser do something here.

import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { address, assert, backtest, link, open, press, said, same, serve, settled, sql, stop, test, text, type, until, workspace } from './harness.js';

const current = (page) => page.$eval('nav a[aria-current]', (element) => element.textContent);
const go = (page, view) => page.evaluate((name) => void (location.hash = `#/${name}`), view);

test('an address that changes before the first frame is followed', async () => {
  const { page, close } = await open({ view: null, before: (opened) => opened.evaluateOnNewDocument(() => addEventListener('load', () => void (location.hash = '#/runs'))) });
  await until(page, 'the runs', () => document.querySelector('main.runs'));
  assert.equal(await current(page), 'Runs');
  await close();
});

test('back and forward go through the views, and what is set stays', async () => {
  const { page, close } = await open();
  await settled(page);
  await type(page, 'stop_loss_percent', '12');
  await same(page, { stop_loss_percent: '12' });
  for (const view of ['Trades', 'Runs']) {
    await press(page, view, 'nav a');
    await until(page, view, (wanted) => document.querySelector('nav a[aria-current]').textContent === wanted, view);
  }
  await until(page, 'the title of the view', () => document.title === 'Runs · hindsight');
  await page.goBack();
  await until(page, 'the trades', () => document.querySelector('.grid .row'));
  await page.goBack();
  await same(page, { stop_loss_percent: '12' });
  await page.goForward();
  await until(page, 'the trades', () => document.querySelector('.grid .row'));
  await page.reload();
  await until(page, 'the trades after loading again', () => document.querySelector('.grid .row'));
  await press(page, 'What-if', 'nav a');
  await same(page, { stop_loss_percent: '12' });
  await close();
});

test('a link that leads nowhere says so, and the way on is there', async () => {
  const { page, close } = await open({ view: 'runs/00000000' });
  await until(page, 'that there is no such run', () => /No run has the id 00000000/.test(document.querySelector('.trouble')?.textContent ?? ''));
  await go(page, 'apply/00000000');
  await until(page, 'that it cannot be applied', () => /No completed run has the id 00000000/.test(document.querySelector('.trouble')?.textContent ?? ''));
  await go(page, 'runs/%');
  await until(page, 'that this is no run either', () => /No run has the id %/.test(document.querySelector('.trouble')?.textContent ?? ''));
  await go(page, 'nowhere');
  await settled(page);
  assert.equal(await current(page), 'What-if');
  await close();
});

test('two tabs are set apart', async () => {
  const { page, close } = await open();
  const other = await page.browserContext().newPage();
  await other.goto(link());
  const set = [[page, '68', '14'], [other, '81', '21']];
  for (const [tab] of set) {
    await tab.bringToFront();
    await settled(tab);
  }
  for (const [tab, threshold, stopLoss] of set) {
    await tab.bringToFront();
    await type(tab, 'score_threshold', threshold);
    await type(tab, 'stop_loss_percent', stopLoss);
  }
  for (const [tab, threshold, stopLoss] of set) {
    await tab.bringToFront();
    await same(tab, { score_threshold: threshold, stop_loss_percent: stopLoss });
  }
  await close();
});

test('over a slow line the page says that it waits, and a drag still ends at the last', async () => {
  const { page, close } = await open({ view: null, before: (opened) => opened.emulateNetworkConditions({ download: 400e3, upload: 100e3, latency: 700 }) });
  await until(page, 'that it opens', () => /Opening|on its way/.test(document.querySelector('#page').textContent));
  await settled(page);
  let under = 0;
  let most = 0;
  const drawing = (request) => request.url().endsWith('/api/v1/live') && !JSON.parse(request.postData()).response;
  page.on('request', (request) => drawing(request) && (most = Math.max(most, ++under)));
  for (const event of ['requestfinished', 'requestfailed']) page.on(event, (request) => drawing(request) && (under -= 1));
  await page.focus('[data-parameter=score_threshold] input[type=range]');
  const started = Date.now();
  for (let step = 0; step < 12; step++) await page.keyboard.press('ArrowRight');
  const took = Date.now() - started;
  const value = await page.$eval('#p-score_threshold', (field) => field.value);
  await same(page, { score_threshold: value });
  assert.equal(most, 1, 'one request is in flight at most');
  assert.ok(took < 3000, `the slider followed its keys in ${took} ms`);
  await close();
});

test('a finger moves a slider, and not the page', async () => {
  const { page, close } = await open({ width: 390, before: (opened) => opened.setViewport({ width: 390, height: 844, hasTouch: true, isMobile: true }) });
  await settled(page);
  await page.select('.dock select', 'stop_loss_percent');
  const slider = await page.waitForSelector('.dock [data-parameter=stop_loss_percent] input[type=range]');
  await slider.evaluate((element) => element.scrollIntoView({ block: 'center' }));
  const [box, top] = [await slider.boundingBox(), await page.evaluate(() => scrollY)];
  const y = box.y + box.height / 2;
  const x = (share) => box.x + 9 + (box.width - 18) * share;
  const at = (15 - 1) / 49;
  await page.touchscreen.touchStart(x(at), y);
  for (let step = 1; step <= 10; step++) await page.touchscreen.touchMove(x(at + step * 0.02), y);
  await page.touchscreen.touchEnd();
  const value = await page.$eval('#dock-p-stop_loss_percent', (field) => field.value);
  assert.ok(Number(value) > 20 && Number(value) < 30, value);
  assert.equal(await page.evaluate(() => scrollY), top);
  const wanted = backtest({ stop_loss_percent: value }).simulated_total_pnl_sol;
  await until(page, `${wanted} SOL`, (pnl) => document.querySelector('[data-metric=total_pnl_sol] .simulated').textContent.replace('−', '-') === pnl, Number(wanted).toFixed(4));
  await close();
});

// Presses Tab until something has the focus, as who has no mouse does.
async function tabTo(page, selector, words = '') {
  for (let count = 0; count < 250; count++) {
    if (await page.evaluate((wanted, text) => document.activeElement?.matches(wanted) && document.activeElement.textContent.trim().startsWith(text), selector, words)) return;
    await page.keyboard.press('Tab');
  }
  assert.fail(`Tab does not reach ${selector} ${words}`);
}

test('from what-if to applied and undone by the keyboard alone', async () => {
  const live = () => Object.fromEntries(sql('select setting, value from live_settings').map((row) => [row.setting, row.value]));
  const before = live();
  const { page, close } = await open();
  await settled(page);
  await tabTo(page, '#p-stop_loss_percent');
  await page.keyboard.type('7');
  await page.keyboard.press('Tab');
  await same(page, { stop_loss_percent: '7' });
  await tabTo(page, 'footer .main');
  await page.keyboard.press('Enter');
  await page.waitForSelector('dialog #run-label');
  await page.keyboard.press('Escape');
  await until(page, 'the dialog closed', () => !document.querySelector('dialog'));
  await until(page, 'the focus where it was', () => document.activeElement.matches('footer .main'));
  await page.keyboard.press('Enter');
  await page.waitForSelector('dialog #run-label');
  await until(page, 'the focus on the label', () => document.activeElement.matches('#run-label'));
  await page.keyboard.type('by keys');
  await page.keyboard.press('Enter');
  await until(page, 'the stored run', () => /is kept/.test(document.querySelector('dialog')?.textContent ?? ''));
  await tabTo(page, 'dialog a.main');
  await page.keyboard.press('Enter');
  await page.waitForSelector('#short-id');
  await tabTo(page, '#short-id');
  await page.keyboard.type(await text(page, '.confirm code'));
  await page.keyboard.press('Enter');
  await until(page, 'that it was applied', () => document.querySelector('.done'));
  assert.equal(Number(live().stop_loss_percent), 7);
  await tabTo(page, '[data-history] button', 'Undo');
  await page.keyboard.press('Enter');
  await page.waitForSelector('dialog');
  await tabTo(page, 'dialog button', 'Undo');
  await page.keyboard.press('Enter');
  await until(page, 'that it was undone', () => !document.querySelector('dialog') && /undone/.test(document.querySelector('[data-history]').textContent));
  assert.deepEqual(live(), before);
  await close();
});

// What a page of somebody else can do with this browser, in which the page is open and has its token.
test('pages of others can neither read, nor write, nor show this one', async () => {
  const counted = () => sql('select (select count(*) from backtests) as runs, (select count(*) from settings_history) as applied')[0];
  const before = counted();
  const { page, close } = await open();
  await settled(page);
  const ours = `http://${address()}`;
  const evil = createServer((_, response) => {
    response.setHeader('Content-Type', 'text/html');
    response.end(`<iframe name="taken"></iframe><iframe id="shown" src="${ours}/"></iframe>
      <form id="form" method="post" enctype="text/plain" target="taken" action="${ours}/api/v1/backtest/run"><input name='{"label":"stolen","x' value='":1}'></form>`);
  });
  await new Promise((done) => evil.listen(0, '127.0.0.1', done));
  const other = await page.browserContext().newPage();
  await other.goto(`http://127.0.0.1:${evil.address().port}/`);
  const tried = await other.evaluate(async (at) => {
    const outcome = (promise) => promise.then((response) => response.type, () => 'refused');
    const run = { method: 'POST', body: '{"label":"stolen"}' };
    const results = {
      read: await outcome(fetch(`${at}/api/v1/status`)),
      token: await outcome(fetch(`${at}/api/v1/status`, { headers: { Authorization: 'Bearer guessed' } })),
      json: await outcome(fetch(`${at}/api/v1/backtest/run`, { ...run, headers: { 'Content-Type': 'application/json' } })),
      blind: await outcome(fetch(`${at}/api/v1/backtest/run`, { ...run, mode: 'no-cors', credentials: 'include' })),
    };
    document.querySelector('#form').submit();
    const opened = window.open(at);
    await new Promise((done) => setTimeout(done, 1500));
    try {
      results.storage = opened?.sessionStorage.length ?? 'no window';
    } catch (error) {
      results.storage = error.name;
    }
    try {
      results.frame = document.querySelector('#shown').contentDocument?.body?.textContent ?? 'closed';
    } catch (error) {
      results.frame = error.name;
    }
    return results;
  }, ours);
  assert.deepEqual({ ...tried, storage: 0 }, { read: 'refused', token: 'refused', json: 'refused', blind: 'opaque', storage: 0, frame: 'closed' });
  assert.ok(['SecurityError', 'no window'].includes(tried.storage), tried.storage);
  const frame = other.frames().find((each) => each !== other.mainFrame() && each.name() !== 'taken');
  assert.equal(await frame.evaluate(() => document.querySelector('[data-metric], #link, header') ?? null), null, 'the page is shown in no frame');
  // A name of theirs that leads to this machine.
  const rebound = await other.goto(`http://evil.example:${address().split(':')[1]}/`);
  assert.equal(rebound.status(), 403);
  evil.close();
  assert.deepEqual(counted(), before);
  assert.match(said(), /POST \/api\/v1\/backtest\/run.*\b403\b|\b403\b.*POST \/api\/v1\/backtest\/run/);
  await page.bringToFront();
  await type(page, 'stop_loss_percent', '19');
  await same(page, { stop_loss_percent: '19' });
  await close();
});

test('what the server refuses stands beside its setting, and leaves with it', async () => {
  const { page, close } = await open({ quiet: false });
  await settled(page);
  const fold = await page.$$('.folded h2 button');
  for (const button of fold) if (/More exit rules/.test(await button.evaluate((each) => each.textContent))) await button.click();
  await type(page, 'take_profit_ladder', '50@twice');
  await until(page, 'the refusal beside it', () => document.querySelector('[data-parameter=take_profit_ladder] .problem'));
  assert.match(await text(page, '[data-parameter=take_profit_ladder] .problem'), /take_profit_ladder/);
  assert.equal(await page.$eval('#p-take_profit_ladder', (field) => field.value), '50@twice', 'what was typed stays');
  assert.equal(await page.$('.answer > .trouble'), null, 'it is said once');
  await type(page, 'stop_loss_percent', '11');
  assert.ok(await page.$('[data-parameter=take_profit_ladder] .problem'), 'it stands for as long as it is true');
  // What is given up on the way says nothing of its own.
  for (let value = 12; value < 18; value++) await type(page, 'stop_loss_percent', value);
  await type(page, 'stop_loss_percent', '11');
  await settled(page);
  assert.equal(await page.$('.answer > .trouble'), null);
  assert.ok(await page.$('[data-parameter=take_profit_ladder] .problem'), 'it stands still');
  await type(page, 'take_profit_ladder', '50@30, 25@60');
  await until(page, 'that it is right now', () => !document.querySelector('[data-parameter=take_profit_ladder] .problem'));
  await same(page, { stop_loss_percent: '11', take_profit_ladder: '50@30, 25@60' });
  // Days of which the first is behind the last.
  await type(page, 'start_date', '2025-07-30');
  await until(page, 'what is wrong with the days', () => /end_date|start_date/.test([...document.querySelectorAll('.problem, .answer .trouble')].map((each) => each.textContent).join()));
  await type(page, 'start_date', '2025-01-01');
  await same(page, { stop_loss_percent: '11', take_profit_ladder: '50@30, 25@60' });
  await close();
});

test('without a history every view says what to do', async () => {
  const http = address();
  const empty = `${workspace}/empty`;
  mkdirSync(empty, { recursive: true });
  writeFileSync(`${empty}/hindsight.json`, '{}');
  await stop();
  await serve(http, 'operator', empty);
  const { page, close } = await open({ view: null });
  for (const [view, says] of [['what-if', /No history is loaded yet/], ['trades', /No history is loaded yet/], ['sweep', /No history is loaded yet/], ['runs', /No run is stored yet/], ['trust', /No history is loaded yet/], ['apply', /Nothing yet/]]) {
    await go(page, view);
    await until(page, `what ${view} says`, (pattern) => new RegExp(pattern).test(document.querySelector('main')?.textContent ?? ''), says.source);
    assert.equal(await page.$('.trouble'), null, view);
  }
  await close();
  await stop();
  await serve(http);
});

test('a server that has no time for a statement is not taken for one that is gone', async () => {
  const { page, close } = await open();
  await settled(page);
  const gone = await page.evaluate(async () => {
    const { Problem } = await import(document.querySelector('script[type=module]').src.replace('main.js', 'api.js'));
    return [[0], [503, '57P01'], [503], [503, '57014'], [503, '53200'], [500], [401]].map(([status, sqlstate]) => new Problem({ status, sqlstate }).gone);
  });
  assert.deepEqual(gone, [true, true, true, false, false, false, false]);
  await close();
});
