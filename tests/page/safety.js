// What must not happen: tokens in addresses, code from data, requests elsewhere, too much on the wire.

import { address, assert, link, open, press, said, serve, settings, settled, sql, stop, test, text, until } from './harness.js';

test('the token leaves the address and stays in the tab', async () => {
  const { page, close } = await open({ view: null });
  await settled(page);
  assert.ok(!page.url().includes('token'), page.url());
  const token = new URLSearchParams(new URL(link()).hash.slice(1)).get('token');
  assert.ok(await page.evaluate((wanted) => Object.values(sessionStorage).some((value) => value.includes(wanted)), token));
  assert.equal(await page.evaluate(() => Object.keys(localStorage).length + document.cookie.length), 0);
  assert.ok(!said().replace(link(), '').includes(token), 'no token is in the log');
  await page.reload();
  await settled(page);
  await close();
});

test('a label of markup is shown as it is written', async () => {
  const markup = '<img src=x onerror="window.stolen=1"><script>window.stolen=1</script>';
  const { page, close } = await open();
  await settled(page);
  await press(page, 'Store this run');
  await page.type('#run-label', markup);
  await page.keyboard.press('Enter');
  await press(page, 'See it');
  await until(page, 'the run', () => document.querySelector('.run-head b'));
  assert.equal(await text(page, '.run-head b'), markup);
  await page.evaluate(() => void (location.hash = '#/runs'));
  await until(page, 'the list', () => document.querySelector('[data-run]'));
  await page.evaluate(() => void (location.hash = '#/apply'));
  await until(page, 'the choice', () => document.querySelectorAll('#which-run option').length > 1);
  assert.equal(await page.evaluate(() => window.stolen ?? null), null);
  assert.equal(await page.evaluate(() => document.images.length), 0);
  await close();
});

test('no script or style but the page’s own runs', async () => {
  const { page, close } = await open({ quiet: false, alone: false });
  await settled(page);
  assert.ok(!(await page.content()).match(/<script(?![^>]*src=)[^>]*>[^<]/), 'no inline script');
  const ran = await page.evaluate(async () => {
    for (const [tag, property] of [['script', 'textContent'], ['style', 'textContent']]) document.head.append(Object.assign(document.createElement(tag), { [property]: tag === 'script' ? 'window.foreign = 1' : 'body { outline: 9px solid }' }));
    document.body.setAttribute('style', 'opacity: .5');
    await new Promise((done) => setTimeout(done, 200));
    return { foreign: window.foreign ?? null, outline: getComputedStyle(document.body).outlineWidth, opacity: getComputedStyle(document.body).opacity };
  });
  assert.equal(ran.foreign, null);
  assert.notEqual(ran.outline, '9px');
  assert.equal(ran.opacity, '1');
  const elsewhere = await page.evaluate(() => fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'refused'));
  assert.equal(elsewhere, 'refused');
  await close();
});

test('a page of an unknown token asks for the link, and shows nothing', async () => {
  const { page, close } = await open({ at: `http://${address()}/#token=${'0'.repeat(64)}`, view: null, quiet: false });
  await until(page, 'the question', () => document.querySelector('#link'));
  assert.equal(await page.$('[data-metric]'), null);
  await page.type('#link', 'nonsense');
  await page.keyboard.press('Enter');
  await until(page, 'the refusal', () => /not of the server/.test(document.querySelector('.trouble')?.textContent ?? ''));
  await page.$eval('#link', (field) => field.select());
  await page.type('#link', link());
  await page.keyboard.press('Enter');
  await settled(page);
  await close();
});

test('two pages at once: what one has applied, the other is told before it applies', async () => {
  const ids = [['one page', 76], ['another page', 72]].map(([label, threshold]) => {
    sql(`call run_backtest(${settings({ score_threshold: threshold })}, label => '${label}')`);
    return sql(`select id from backtests where label = '${label}'`)[0].id;
  });
  const live = () => Number(sql("select value from live_settings where setting = 'score_threshold'")[0].value);
  const before = live();
  const pages = [];
  for (const id of ids) pages.push(await open({ view: `apply/${id}`, quiet: false }));
  const apply = async ({ page }) => {
    await page.bringToFront();
    await page.waitForSelector('#short-id');
    await page.$eval('#short-id', (field) => field.select());
    await page.type('#short-id', await text(page, '.confirm code'));
    await press(page, 'Apply These Settings');
  };
  for (const { page } of pages) await page.waitForSelector('#short-id');
  await apply(pages[0]);
  await until(pages[0].page, 'that it was applied', () => document.querySelector('.done'));
  assert.equal(live(), 76);
  await apply(pages[1]);
  await until(pages[1].page, 'that the settings have changed', () => /changed/.test(document.querySelector('.preview .trouble')?.textContent ?? ''));
  assert.equal(live(), 76, 'nothing is applied over what nobody has seen');
  await press(pages[1].page, 'Try again');
  await until(pages[1].page, 'what is live now', () => document.querySelector('[data-setting=score_threshold] td')?.textContent === '76');
  await apply(pages[1]);
  await until(pages[1].page, 'that it was applied', () => document.querySelector('.done'));
  assert.equal(live(), 72);
  for (const [index, wanted] of [76, before].entries()) {
    await until(pages[1].page, 'what can be undone', (run) => [...document.querySelectorAll('[data-history]')].find((row) => row.querySelector('button'))?.querySelector('a')?.hash === `#/runs/${run}`, ids[1 - index]);
    await press(pages[1].page, 'Undo', '[data-history] button');
    await press(pages[1].page, 'Undo', 'dialog .main');
    await until(pages[1].page, 'that it was undone', () => !document.querySelector('dialog'));
    assert.equal(live(), wanted);
  }
  for (const { close } of pages) await close();
});

test('a reader sees runs, and why nothing else', async () => {
  const http = address();
  await stop();
  await serve(http, 'reader');
  const { page, close } = await open();
  await until(page, 'why there is no what-if', () => /A reader sees stored runs/.test(document.body.textContent));
  const { id } = sql("select id from backtests where status = 'completed' limit 1")[0];
  await page.evaluate((run) => void (location.hash = `#/apply/${run}`), id);
  await until(page, 'why nothing can be applied', () => document.querySelector('.why-not'));
  assert.equal(await page.$('.confirm'), null);
  await page.evaluate((run) => void (location.hash = `#/runs/${run}`), id);
  await until(page, 'the run', () => document.querySelector('[data-metric]'));
  await close();
  await stop();
  await serve(http);
});

test('the first load is below 150 kB on the wire, compressed', async () => {
  if (process.env.HINDSIGHT_PAGE_FROM) return 'not measured: the files are not the program’s';
  const { page, close } = await open({ view: null, at: link() });
  await settled(page);
  const client = await page.createCDPSession();
  await client.send('Network.enable');
  await client.send('Network.setCacheDisabled', { cacheDisabled: true });
  const urls = new Map();
  let bytes = 0;
  client.on('Network.requestWillBeSent', ({ requestId, request }) => urls.set(requestId, request.url));
  client.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    if (!/\/api\//.test(urls.get(requestId) ?? '/api/')) bytes += encodedDataLength;
  });
  await page.reload();
  await settled(page);
  assert.ok(bytes > 20000 && bytes < 150000, `${bytes} bytes`);
  await close();
  return `${(bytes / 1000).toFixed(0)} kB`;
});
