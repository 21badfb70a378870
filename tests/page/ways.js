// How people come and go.

import { assert, open, test, text, until } from './harness.js';

test('an address that changes before the first frame is followed', async () => {
  const { page, close } = await open({ view: null, before: (opened) => opened.evaluateOnNewDocument(() => addEventListener('load', () => void (location.hash = '#/runs'))) });
  await until(page, 'the runs', () => document.querySelector('main.runs'));
  assert.equal(await text(page, 'nav a[aria-current]'), 'Runs');
  await close();
});
