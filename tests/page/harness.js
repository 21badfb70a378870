// A server over the demo, a browser, and what a person does with both. A page that logs an error, throws,
// or asks another host fails its test.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const { HINDSIGHT, WORKSPACE, DRIVER, CHROMIUM, SHOTS } = process.env;
const require = createRequire(`${DRIVER}/`);
const { default: puppeteer } = await import(require.resolve('puppeteer-core'));
export const axeSource = require.resolve('axe-core/axe.min.js');
export const shots = SHOTS;
export { assert };

const DATA = `${WORKSPACE}/data`;
export const workspace = WORKSPACE;
export const command = (...words) => execFileSync(HINDSIGHT, ['--data', DATA, ...words], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 1 << 28 });

// Rows of a statement, numbers as they are written.
export function sql(statement) {
  const text = command('query', '--format', 'json', statement).replace(/(":)(-?\d+(?:\.\d+)?(?:e[-+]?\d+)?)(?=[,}])/gi, '$1"$2"');
  return JSON.parse(text);
}

const RANGE = "start_date => '2025-01-01', end_date => '2025-06-29'";
export const settings = (values = {}) => [RANGE, ...Object.entries(values).map(([name, value]) => `${name} => ${/^[-\d.]+$/.test(value) || value === true || value === false ? value : `'${value}'`}`)].join(', ');
export const backtest = (values) => sql(`select * from backtest(${settings(values)})`)[0];

let server = null;
export const link = () => server.link;
export async function serve(http = '127.0.0.1:0', role = 'operator', data = DATA) {
  const child = spawn(HINDSIGHT, ['--data', data, 'serve', '--listen', '127.0.0.1:0', '--http', http, '--trust', role], { stdio: ['ignore', 'ignore', 'pipe'] });
  server = { child, link: null };
  let said = '';
  await new Promise((done, failed) => {
    child.stderr.on('data', (text) => {
      said += text;
      server.link ??= /http:\/\/\S+#token=[^\s,]+/.exec(said)?.[0] ?? null;
      if (server.link) done();
    });
    child.on('exit', () => failed(new Error(`the server ended: ${said}`)));
    setTimeout(() => failed(new Error(`the server printed no link: ${said}`)), 30000).unref();
  });
  server.said = () => said;
  return server.link;
}
export const address = () => new URL(server.link).host;
export const said = () => server.said();
export const stop = () => new Promise((done) => {
  if (!server || server.child.exitCode !== null) return done();
  server.child.removeAllListeners('exit');
  server.child.on('exit', done);
  server.child.kill('SIGTERM');
});

// The page's files as they are in the source, in place of those in the program.
const FOLDER = fileURLToPath(new URL('../../src/server/http/page/', import.meta.url));
const TYPES = { js: 'text/javascript', css: 'text/css', svg: 'image/svg+xml' };
async function fromFolder(page) {
  await page.setRequestInterception(true);
  page.on('request', (request) => {
    const name = /^http:.*\/page\/[0-9a-f]+\/(.+)$/.exec(request.url())?.[1];
    if (!name) return request.continue();
    return request.respond({ contentType: TYPES[name.split('.').pop()], body: readFileSync(`${FOLDER}${name}`) });
  });
}

let browser = null;
export async function open({ view = 'what-if', width = 1440, height = width < 500 ? 844 : 900, theme = 'light', at = link(), quiet = true, alone = true, before = null } = {}) {
  browser ??= await puppeteer.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu', '--force-color-profile=srgb', '--host-resolver-rules=MAP evil.example 127.0.0.1'], headless: true });
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  const wrong = [];
  const elsewhere = [];
  page.on('console', (message) => message.type() === 'error' && wrong.push(message.text()));
  page.on('pageerror', (error) => wrong.push(error.message));
  page.on('request', (request) => {
    const { protocol, host } = new URL(request.url());
    if (!/^(data|blob|file):$/.test(protocol) && host !== new URL(at).host) elsewhere.push(request.url());
  });
  if (process.env.HINDSIGHT_PAGE_FROM) await fromFolder(page);
  await shownOn(page, { width, height, theme });
  await before?.(page);
  await page.goto(at);
  if (view && at.startsWith('http')) await page.evaluate((name) => void (location.hash = `#/${name}`), view);
  const close = async () => {
    await context.close();
    if (alone) assert.deepEqual(elsewhere, [], 'the page asked another host');
    if (quiet) assert.deepEqual(wrong, [], 'the page logged errors');
  };
  return { page, close, wrong };
}

// Another screen and another of the system's wishes, for a page that is open.
export async function shownOn(page, { width, height = width < 500 ? 844 : 900, theme }) {
  await page.setViewport({ width, height });
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: theme }]);
}
// Runs a text that the page's own policy would refuse.
export async function evaluated(page, expression) {
  const client = await page.createCDPSession();
  await client.send('Runtime.evaluate', { expression });
}
export const shut = async () => {
  await browser?.close();
  await stop();
};

// Waits until something holds in the page, and says what did not.
export async function until(page, what, condition, ...given) {
  try {
    return await page.waitForFunction(condition, { timeout: 60000, polling: 50 }, ...given);
  } catch {
    assert.fail(`${what}, in vain; the page says: ${(await page.evaluate(() => (document.querySelector('dialog') ?? document.body).innerText)).slice(0, 600)}`);
  }
}
export const text = (page, selector) => page.$eval(selector, (element) => element.textContent);
export async function press(page, words, scope = 'button, a.button, .more') {
  const found = await until(page, `a button “${words}” that can be pressed`, (wanted, all) => [...document.querySelectorAll(all)].find((each) => each.textContent.trim().startsWith(wanted) && !each.disabled), words, scope);
  try {
    await found.asElement().click();
  } catch (error) {
    // Drawn anew between being found and being clicked.
    if (!/detached|not clickable/.test(error.message)) throw error;
    await press(page, words, scope);
  }
}

// The text of the file that a press saves.
export async function saved(page, words) {
  const client = await page.createCDPSession();
  const folder = mkdtempSync(`${SHOTS}/saved-`);
  await client.send('Browser.setDownloadBehavior', { behavior: 'allow', downloadPath: folder, eventsEnabled: true, browserContextId: page.browserContext().id });
  await press(page, words);
  for (let wait = 0; wait < 600; wait++) {
    const [name] = readdirSync(folder).filter((each) => !each.endsWith('.crdownload'));
    if (name && statSync(`${folder}/${name}`).size > 0) return { name, text: readFileSync(`${folder}/${name}`, 'utf8') };
    await new Promise((done) => setTimeout(done, 50));
  }
  return assert.fail(`${words} saved nothing`);
}

// The number that a person reads: 1,234.5 and −3 as SQL writes them.
export const read = (shown) => {
  const plain = shown.replaceAll(',', '').replace('−', '-').replace(/^[+±]/, '').trim();
  return plain === '–' ? null : plain;
};
const scaled = (value) => {
  const [whole, fraction = ''] = String(value).replace('-', '').split('.');
  return `${String(value).startsWith('-') && /[1-9]/.test(value) ? '-' : ''}${whole}.${fraction.replace(/0+$/, '')}`;
};
export const equal = (shown, wanted, what) => assert.equal(read(shown) === null ? null : scaled(read(shown)), wanted === null ? null : scaled(wanted), what);

// The figures as shown: {metric: [actual, simulated, difference]}.
export const figures = (page) => page.$$eval('[data-metric]', (rows) => Object.fromEntries(rows.map((row) => [row.dataset.metric, [...row.querySelectorAll('td')].map((cell) => cell.textContent)])));

export async function ready(page) {
  await until(page, 'the first answer', () => document.querySelector('[data-metric]'));
}
// The page shows what was asked last, and nothing is under way.
export async function settled(page) {
  await ready(page);
  await until(page, 'the page at rest', () => !document.querySelector('.stale, .pending'));
  await page.waitForNetworkIdle({ idleTime: 300, timeout: 60000 });
}

export async function type(page, name, value) {
  const field = await page.waitForSelector(`#p-${name}`);
  await field.evaluate((element) => element.scrollIntoView({ block: 'center' }));
  await field.click();
  await field.evaluate((element) => element.select());
  await page.keyboard.type(String(value));
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
}

export async function same(page, values) {
  const row = backtest(values);
  await until(page, `the figures of ${JSON.stringify(values)}`, (total) => document.querySelector('[data-metric=total_pnl_sol] .simulated')?.textContent.replace('−', '-').replaceAll(',', '') === total, String(Number(row.simulated_total_pnl_sol).toFixed(4)));
  const shown = await figures(page);
  for (const button of await page.$$('.figures .more')) if (await button.evaluate((each) => each.getAttribute('aria-expanded') === 'false')) await button.click();
  const all = { ...shown, ...(await figures(page)) };
  const metrics = Object.keys(row).filter((name) => name.startsWith('actual_') && `simulated_${name.slice(7)}` in row).map((name) => name.slice(7));
  assert.deepEqual(Object.keys(all).sort(), metrics.sort(), 'every metric of the result is shown');
  for (const metric of metrics) {
    equal(all[metric][0], row[`actual_${metric}`], `actual ${metric}`);
    equal(all[metric][1], row[`simulated_${metric}`], `simulated ${metric}`);
  }
  return { row, shown: all };
}

const tests = [];
export const test = (name, run) => tests.push({ name, run });
export async function runAll(wanted) {
  let failed = 0;
  for (const { name, run } of tests) {
    if (wanted.length && !wanted.some((word) => name.includes(word))) continue;
    const started = Date.now();
    try {
      const note = await run();
      console.log(`ok page: ${name} (${[note, `${((Date.now() - started) / 1000).toFixed(1)} s`].filter(Boolean).join('; ')})`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED page: ${name}`);
      console.error(error.stack ?? error);
    }
  }
  return failed;
}
