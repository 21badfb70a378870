// How it looks, and whether everybody can use it: pictures of every view, axe-core, the keyboard, zoom.

import { copyFileSync, readFileSync, statSync } from 'node:fs';
import { assert, axeSource, evaluated, open, press, same, settings, settled, shots, shownOn, sql, test, type, until } from './harness.js';

const VIEWS = ['what-if', 'trades', 'sweep', 'runs', 'trust', 'apply'];

async function arrive(page, view) {
  if (view === 'what-if') return settled(page);
  if (view === 'sweep') {
    await press(page, 'Sweep');
    await until(page, 'the map', () => document.querySelector('.heat td.is-best'));
  }
  if (view === 'trades') await until(page, 'the table', () => document.querySelector('.grid .row'));
  if (view === 'runs') await until(page, 'the list', () => document.querySelector('[data-run], .empty'));
  if (view === 'trust') await until(page, 'all parts', () => document.querySelector('.scatter svg') && document.querySelector('.interval'));
  if (view.startsWith('apply')) await until(page, 'the choice', () => document.querySelector('#which-run'));
  await page.waitForNetworkIdle({ idleTime: 400, timeout: 60000 });
}

// One page for each: what it shows is computed once, and only its screen becomes another.
async function pictures(page, name, screens) {
  await evaluated(page, readFileSync(axeSource, 'utf8'));
  for (const { theme, width } of screens) {
    await shownOn(page, { theme, width });
    await page.waitForNetworkIdle({ idleTime: 150, timeout: 60000 });
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth + 1), `${name} is wider than ${width}`);
    await page.screenshot({ path: `${shots}/${name}-${width}-${theme}.png` });
    const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations.map((each) => `${each.id}: ${each.nodes.map((node) => node.target.join(' ')).slice(0, 4).join('; ')}`)));
    assert.deepEqual(found, [], `${name} ${width} ${theme}`);
  }
}

const SCREENS = ['light', 'dark'].flatMap((theme) => [1440, 1024, 390].map((width) => ({ theme, width })));
for (const view of VIEWS) {
  test(`${view} in pictures, and without a finding of axe-core`, async () => {
    const { page, close } = await open({ view });
    await arrive(page, view);
    await pictures(page, view, SCREENS);
    await close();
  });
}

// What views show once somebody has done something in them.
const stored = (label, values) => {
  const known = () => sql(`select id from backtests where label = '${label}'`)[0]?.id;
  if (!known()) sql(`call run_backtest(${settings(values)}, label => '${label}')`);
  return known();
};
const SCENES = {
  'a-trade': async (page) => {
    await until(page, 'the table', () => document.querySelector('.grid .row'));
    await page.click('.grid .row:nth-child(12)');
    await until(page, 'its price path', () => document.querySelector('.detail svg.price path.line'));
  },
  'a-run': async (page) => until(page, 'its figures', () => document.querySelector('.run [data-metric]') && document.querySelector('.run .grid .row')),
  compared: async (page, ids) => {
    for (const id of ids) await (await page.waitForSelector(`[data-run="${id}"] input`)).click();
    await until(page, 'both curves', () => document.querySelectorAll('.overlay path.line').length === 2);
  },
  preview: async (page) => void (await page.waitForSelector('#short-id')),
  storing: async (page) => {
    await settled(page);
    await press(page, 'Store this run');
    await page.waitForSelector('dialog #run-label');
  },
  wrong: async (page) => {
    await settled(page);
    await type(page, 'stop_loss_percent', '60');
    await type(page, 'score_threshold', 'many');
  },
};
for (const [name, arrange] of Object.entries(SCENES)) {
  test(`${name} in pictures, and without a finding of axe-core`, async () => {
    const ids = [stored('before the weekend', { score_threshold: 76, stop_loss_percent: 8, break_even_percent: 5 }), stored('as it is', {})];
    const view = { 'a-trade': 'trades', 'a-run': `runs/${ids[0]}`, compared: 'runs', preview: `apply/${ids[0]}` }[name] ?? 'what-if';
    const { page, close } = await open({ view });
    await arrange(page, ids);
    await pictures(page, name, SCREENS.filter(({ theme, width }) => width === (theme === 'light' ? 1440 : 390)));
    await close();
  });
}

test('the picture of the README', async () => {
  const { page, close } = await open();
  await settled(page);
  await type(page, 'score_threshold', '76');
  await settled(page);
  await type(page, 'stop_loss_percent', '8');
  await same(page, { score_threshold: '76', stop_loss_percent: '8' });
  await settled(page);
  await press(page, 'Fewer figures');
  await page.evaluate(() => (document.activeElement.blur(), document.querySelector('.settings').scrollTo(0, 0), document.querySelector('.answer').scrollTo(0, 0)));
  await new Promise((done) => setTimeout(done, 300));
  await page.screenshot({ path: `${shots}/what-if.png` });
  const { size } = statSync(`${shots}/what-if.png`);
  assert.ok(size < 300000, `${size} bytes`);
  if (process.env.HINDSIGHT_README_PICTURE) copyFileSync(`${shots}/what-if.png`, process.env.HINDSIGHT_README_PICTURE);
  await close();
});

test('the keyboard alone reaches everything', async () => {
  const { page, close } = await open();
  const within = 'a[href], button:not(:disabled), input:not(:disabled), select, summary, [tabindex="0"]';
  for (const view of VIEWS) {
    await page.evaluate((name) => void (location.hash = `#/${name}`), view);
    await arrive(page, view);
    for (const button of await page.$$('.folded h2 button[aria-expanded=false]')) await button.click();
    const count = await page.evaluate((all) => {
      document.activeElement.blur();
      window.reached = new Set();
      document.addEventListener('focusin', (event) => window.reached.add(event.target));
      return document.querySelectorAll(all).length;
    }, within);
    for (let press = 0; press < count + 5; press++) await page.keyboard.press('Tab');
    const missed = await page.evaluate((all) => [...document.querySelectorAll(all)].filter((each) => !window.reached.has(each)).map((each) => each.outerHTML.slice(0, 120)), within);
    assert.deepEqual(missed, [], view);
  }
  await close();
});

test('200 % zoom loses nothing', async () => {
  for (const view of VIEWS) {
    const { page, close } = await open({ view, width: 720, height: 450 });
    await arrive(page, view);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth + 1), view);
    await close();
  }
});
