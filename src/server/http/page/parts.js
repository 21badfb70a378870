// Small parts that every view is made of.

import { html, useEffect, useLayoutEffect, useRef, useState } from './vendor/preact-htm.js';
import { shown, sign } from './numbers.js';
import { useShared } from './store.js';

// Said where it arose: the sentence, and the way out.
export const Trouble = ({ problem, again }) =>
  problem &&
  html`<div class="trouble" role="alert">
    <p>${problem.message}</p>
    ${problem.hint && html`<p class="hint">${problem.hint}</p>`}
    ${again && html`<button class="quiet" onClick=${again}>Try again</button>`}
  </div>`;

// A figure with the colour and the sign of what it means: 1 where more is good, -1 where it is bad.
export function Difference({ value, good = 1, least = 0, round = null }) {
  const direction = sign(value) * good;
  const meaning = direction > 0 ? 'gain' : direction < 0 ? 'loss' : '';
  return html`<span class=${meaning}>${shown(value, { least, round, signed: true })}</span>`;
}

export function Progress({ done, total, phase, remaining }) {
  const share = total > 0 ? Math.min(1, done / total) : null;
  return html`<div class="progress">
    <progress aria-label="Progress" max="1" value=${share ?? undefined}></progress>
    <p>${[phase, total > 0 && `${shown(String(done))} of ${shown(String(total))}`, remaining].filter(Boolean).join(' · ')}</p>
  </div>`;
}

export function Modal({ title, close, children }) {
  const dialog = useRef();
  // Before it is painted: whoever types at once types into it.
  useLayoutEffect(() => {
    const [before, element] = [document.activeElement, dialog.current];
    element.showModal();
    return () => {
      // While it is open, nothing else takes the focus.
      element.close();
      before?.focus?.();
    };
  }, []);
  return html`<dialog ref=${dialog} aria-labelledby="dialog-title" onCancel=${(event) => (event.preventDefault(), close())}>
    <h2 id="dialog-title">${title}</h2>
    ${children}
  </dialog>`;
}

// Runs something that takes a while, once at a time, and keeps what went wrong beside its button.
export function useTask() {
  const [task, setTask] = useState({ busy: false, problem: null });
  const alive = useRef(true);
  useEffect(() => () => void (alive.current = false), []);
  const run = async (work) => {
    setTask({ busy: true, problem: null });
    try {
      const answer = await work();
      if (alive.current) setTask({ busy: false, problem: null });
      return answer;
    } catch (problem) {
      if (alive.current) setTask({ busy: false, problem: problem.name === 'AbortError' ? null : problem });
      return undefined;
    }
  };
  return [task, run];
}

// What is loaded for a view, again whenever `key` is another.
export function useLoaded(load, key) {
  const [loaded, setLoaded] = useState({ key: undefined, value: null, problem: null });
  const [round, setRound] = useState(0);
  useEffect(() => {
    const stop = new AbortController();
    load(stop.signal).then(
      (value) => setLoaded({ key, value, problem: null }),
      (problem) => problem.name !== 'AbortError' && setLoaded((before) => ({ ...before, problem })),
    );
    return () => stop.abort();
  }, [key, round]);
  const again = () => setRound((count) => count + 1);
  // What failed because the server was away, or was another, is loaded when it is there.
  const there = useShared((state) => state.phase === 'ready' && !state.away);
  useEffect(() => {
    if (there && (loaded.problem?.gone || loaded.problem?.unknownToken)) again();
  }, [there, loaded.problem]);
  return { ...loaded, stale: loaded.key !== key, again };
}

// Whether the screen is a phone's.
const narrow = matchMedia('(max-width: 760px)');
export function useNarrow() {
  const [is, setIs] = useState(narrow.matches);
  useEffect(() => {
    const listener = () => setIs(narrow.matches);
    narrow.addEventListener('change', listener);
    listener();
    return () => narrow.removeEventListener('change', listener);
  }, []);
  return is;
}

export const Empty = ({ children }) => html`<p class="empty">${children}</p>`;

// A small line over numbers, such as a price path, drawn as SVG.
export function path(points, x, y) {
  return points.map(([a, b], index) => `${index ? 'L' : 'M'}${x(a).toFixed(1)},${y(b).toFixed(1)}`).join('');
}

export function download(name, text, type = 'text/csv') {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = Object.assign(document.createElement('a'), { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

// A cell that a spreadsheet would take for a formula is written as text.
const cell = (value) => {
  let text = String(value ?? '');
  if (/^[=+@\t\r]|^-(?![\d.])/.test(text)) text = `'${text}`;
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};
export const csv = (names, rows) => [names, ...rows].map((row) => row.map(cell).join(',')).join('\r\n');

// Rows of {columns, rows} as objects by column name.
export const objects = ({ columns, rows }) => {
  const names = columns.map((column) => column.name ?? column);
  return rows.map((row) => Object.fromEntries(names.map((name, index) => [name, row[index]])));
};
