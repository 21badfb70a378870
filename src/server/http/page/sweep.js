// A grid of settings: how many there are before it starts, the best so far while it runs, and then a map
// of two parameters, with what such a search is worth.

import { html, useMemo, useRef, useState } from './vendor/preact-htm.js';
import { Problem, ndjson, objects, table } from './api.js';
import { kind, same, wrong } from './config.js';
import { counted, duration, plain, shown, sign } from './numbers.js';
import { Difference, Empty, Progress, Trouble, useTask } from './parts.js';
import { share } from './results.js';
import { mayRun, now, useShared } from './store.js';
import { label, ofPeriod, unit, unitOf, words } from './words.js';
import { configOf, looked, setAll, steps } from './work.js';

const parse = (text) => text.split(/[,\s]+/).filter(Boolean);

function Axis({ axis, parameters, update, drop }) {
  const parameter = parameters.find((each) => each.name === axis.name);
  const id = `axis-${axis.name}`;
  const problem = parse(axis.text).map((text) => wrong(parameter, text)).find(Boolean);
  return html`<div class="axis">
    <select aria-label="Parameter to sweep" value=${axis.name} onChange=${(event) => update({ name: event.target.value, text: first(parameters.find((each) => each.name === event.target.value)) })}>
      ${parameters.map((each) => html`<option value=${each.name} selected=${each.name === axis.name}>${label(each.name)}${unit(each.unit) ? `, ${unit(each.unit)}` : ''}</option>`)}
    </select>
    <input class="text" id=${id} aria-label=${`Steps of ${label(axis.name)}`} value=${axis.text} autocomplete="off" spellcheck="false" aria-invalid=${problem ? 'true' : undefined} onInput=${(event) => update({ ...axis, text: event.target.value })} />
    <button class="quiet" aria-label=${`Remove ${label(axis.name)}`} disabled=${!drop} onClick=${drop}>Remove</button>
    ${problem && html`<p class="problem" role="alert">${problem}</p>`}
  </div>`;
}

const first = (parameter) => (kind(parameter) === 'choice' ? parameter.choices.join(', ') : steps(parameter, 7).join(', '));

// The heat map: over two axes, each cell the largest over the others, or a slice of them.
function Heat({ rows: every, axes, choose }) {
  const [across, down, ...others] = axes;
  const [slices, setSlices] = useState({});
  const rows = useMemo(() => every.filter((row) => others.every(({ name }) => !slices[name] || same(row[name], slices[name]))), [every, slices]);
  const [which, setWhich] = useState('pnl_difference_sol');
  const measures = useMemo(() => Object.keys(every[0]).filter((name) => name === 'pnl_difference_sol' || name === 'simulated_pnl_conservative_sol' || /^simulated_(total_pnl_sol|win_rate|profit_factor|max_drawdown_sol|sharpe_ratio)$/.test(name)), [every]);
  const least = /drawdown/.test(which);
  const cells = useMemo(() => {
    const found = new Map();
    for (const row of rows) {
      const key = `${plain(String(row[across.name]))}|${down ? plain(String(row[down.name])) : ''}`;
      const known = found.get(key);
      const value = row[which] === null ? null : Number(row[which]);
      if (value !== null && (!known || (least ? value < known.value : value > known.value))) found.set(key, { value, row });
    }
    return found;
  }, [rows, which, across.name, down?.name]);
  const found = [...cells.values()].map((cell) => cell.value);
  const reach = Math.max(...found.map(Math.abs), 1e-12);
  const [low, high] = [Math.min(...found), Math.max(...found)];
  const best = least ? low : high;
  const signed = low < 0 || which === 'pnl_difference_sol';
  const xs = across.values;
  const ys = down ? down.values : [''];
  const bestKey = [...cells].find(([, cell]) => cell.value === best)?.[0];
  const [bx, by] = (bestKey ?? '|').split('|');
  const edge = [[across, xs, bx], ...(down ? [[down, ys, by]] : [])].filter(([, list, at]) => list.length > 2 && [list[0], list[list.length - 1]].some((end) => same(end, at))).map(([axis]) => label(axis.name).toLowerCase());
  const near = best === 0 ? 0 : [...cells.values()].filter((cell) => Math.abs(cell.value - best) <= Math.abs(best) * 0.05).length;
  const tone = (value) => {
    const share = signed ? Math.abs(value) / reach : (value - low) / (high - low || 1);
    const color = signed ? (value < 0 ? 'loss' : 'gain') : 'accent';
    return { background: `color-mix(in srgb, var(--${color}) ${Math.round(share * 42)}%, var(--paper))` };
  };
  return html`<section class="heat" aria-label="Map of the grid">
    <div class="heat-head">
      <h2>${measure(which)} <span>${others.some(({ name }) => !slices[name]) ? 'the best over the other parameters' : 'of each combination'}</span></h2>
      ${others.map((axis) => html`<select key=${axis.name} aria-label=${`Slice of ${label(axis.name)}`} onChange=${(event) => setSlices({ ...slices, [axis.name]: event.target.value })}>
        <option value="" selected=${!slices[axis.name]}>any ${label(axis.name).toLowerCase()}</option>${axis.values.map((value) => html`<option value=${value} selected=${value === slices[axis.name]}>${label(axis.name).toLowerCase()} ${decimalOrWords(value)}</option>`)}
      </select>`)}
      <select aria-label="What the map shows" value=${which} onChange=${(event) => setWhich(event.target.value)}>${measures.map((name) => html`<option value=${name} selected=${name === which}>${measure(name)}</option>`)}</select>
    </div>
    <div class="scroll" tabindex="0" role="group" aria-label="Map">
    <table>
      <thead><tr><td class="corner">${down ? html`${label(down.name)} ↓ ` : ''}${label(across.name)} →</td>${xs.map((x) => html`<th scope="col">${shown(x) === '–' ? words(x) : decimalOrWords(x)}</th>`)}</tr></thead>
      <tbody>${ys.map((y) => html`<tr><th scope="row">${y === '' ? '' : decimalOrWords(y)}</th>
        ${xs.map((x) => {
          const key = `${plain(x)}|${y === '' ? '' : plain(y)}`;
          const cell = cells.get(key);
          if (!cell) return html`<td class="void">–</td>`;
          return html`<td class=${key === bestKey ? 'is-best' : ''} style=${tone(cell.value)}><button title="Take these settings to the what-if" onClick=${() => choose(cell.row)}>${shown(cell.row[which], { round: 2, signed: which === 'pnl_difference_sol' })}</button></td>`;
        })}
      </tr>`)}</tbody>
    </table>
    </div>
    <p class="ground">
      <span key="edge">${edge.length > 0 ? html`<b>The best cell lies on the edge of the grid</b>` : 'The best cell lies inside the grid'}</span>
      <span key="where">${edge.length > 0 ? ` in ${edge.join(' and ')}: what is beyond is not known. ` : '. '}</span>
      ${cells.size > 1 && html`<span key="plateau">${near > 1 ? `${near} of ${cells.size} cells are within 5 % of it: a plateau, not a peak.` : 'No other cell is within 5 % of it: a peak, which the next months seldom repeat.'}</span>`}
    </p>
  </section>`;
}

const measure = (name) => (name === 'simulated_pnl_conservative_sol' ? 'PnL at worst fills, SOL' : [label(name.replace(/^simulated_/, '')), unitOf(name.replace(/^simulated_/, ''))].filter(Boolean).join(', '));
const decimalOrWords = (value) => (/^[-\d.]+$/.test(value) ? shown(value) : words(value));

function Worth({ overfitting, combinations }) {
  const each = overfitting;
  const known = (name) => each && each[name] !== null && each[name] !== undefined;
  return html`<p class="ground worth">
    <span key="number"><b>${shown(String(combinations))}</b> combinations were tried. </span>
    ${!each && html`<span key="weighing" class="pending">How much of the best is luck is being weighed… </span>`}
    ${known('deflated_sharpe_ratio') && html`<span key="deflated">That the gain of the best is more than the luck of so many tries is <b>${share(Number(each.deflated_sharpe_ratio))}</b> likely (deflated Sharpe ratio). </span>`}
    ${known('probability_of_overfitting') && html`<span key="overfitting">Probability of overfitting: <b>${share(Number(each.probability_of_overfitting))}</b>.</span>`}
  </p>`;
}

function Rows({ rows, axes, choose }) {
  const best = useMemo(() => [...rows].sort((a, b) => Number(b.simulated_total_pnl_sol) - Number(a.simulated_total_pnl_sol)), [rows]);
  const [many, setMany] = useState(20);
  return html`<section class="sweep-rows"><h2>Every combination <span>best first</span></h2>
    <div class="scroll" tabindex="0" role="group" aria-label="Combinations"><table>
      <thead><tr>${axes.map((axis) => html`<th scope="col">${label(axis.name)}</th>`)}<th scope="col">trades</th><th scope="col">win rate, %</th><th scope="col">PnL, SOL</th><th scope="col">at worst fills</th><th scope="col">difference</th><td></td></tr></thead>
      <tbody>${best.slice(0, many).map((row) => html`<tr>
        ${axes.map((axis) => html`<td>${decimalOrWords(plain(String(row[axis.name])))}</td>`)}
        <td>${shown(String(row.simulated_total_trades))}</td><td>${shown(row.simulated_win_rate, { least: 2 })}</td><td>${shown(row.simulated_total_pnl_sol, { least: 4 })}</td>
        <td>${shown(row.simulated_pnl_conservative_sol, { least: 4 })}</td><td><${Difference} value=${row.pnl_difference_sol} least=${4} /></td>
        <td><button class="more" onClick=${() => choose(row)}>To the what-if</button></td>
      </tr>`)}</tbody>
    </table></div>
    ${best.length > many && html`<button class="more" onClick=${() => setMany(many + 100)}>${counted(best.length - many, 'more combination')}</button>`}
  </section>`;
}

// What was swept stays when the view is left.
let keptAxes = null;
let keptResult = null;

export function Sweep() {
  const parameters = useShared((state) => state.parameters);
  const status = useShared((state) => state.status);
  const swept = parameters.filter((each) => !ofPeriod(each) && each.group !== 'scoring_weights' && ['number', 'choice'].includes(kind(each)) && each.default !== null && each.default !== undefined);
  const initial = () => ['score_threshold', 'stop_loss_percent'].map((name) => swept.find((each) => each.name === name)).filter(Boolean).map((each) => ({ name: each.name, text: first(each) }));
  const [axes, setAxes] = useState(keptAxes ?? initial());
  const [result, setResult] = useState(keptResult);
  const [progress, setProgress] = useState(null);
  const [task, run] = useTask();
  const stop = useRef(null);
  keptAxes = axes;
  keptResult = result;
  const values = axes.map((axis) => parse(axis.text));
  const number = values.reduce((product, list) => product * list.length, 1);
  const invalid = axes.some((axis, index) => values[index].length === 0 || values[index].some((text) => wrong(parameters.find((each) => each.name === axis.name), text)));
  const update = (index) => (axis) => setAxes(axes.map((each, at) => (at === index ? axis : each)));
  const add = () => {
    const free = swept.find((each) => !axes.some((axis) => axis.name === each.name));
    if (free) setAxes([...axes, { name: free.name, text: first(free) }]);
  };
  const start = () => {
    stop.current = new AbortController();
    setProgress({ done: 0, total: number });
    const grid = Object.fromEntries(axes.map((axis, index) => [axis.name, values[index]]));
    const shownAxes = axes.map((axis, index) => ({ name: axis.name, values: values[index] }));
    const found = [];
    const { values: others } = now();
    run(async () => {
      let complete = null;
      let best = null;
      await ndjson('sweep', { config: configOf(others), grid }, (message) => {
        if (message.type === 'error') throw new Problem(message.problem);
        if (message.type === 'rows') {
          const rows = objects(message);
          looked(rows.map((row) => [{ ...others, ...Object.fromEntries(shownAxes.map(({ name }) => [name, row[name]])) }, row]));
          for (const row of rows) {
            found.push(row);
            if (!best || Number(row.simulated_total_pnl_sol) > Number(best.simulated_total_pnl_sol)) best = row;
          }
          setProgress((before) => ({ ...before, done: Math.max(before.done, found.length), best }));
        }
        if (message.type === 'progress') setProgress({ ...message, best });
        if (message.type === 'complete') complete = message;
      }, { signal: stop.current.signal });
      if (!complete) throw new Problem({ detail: 'The server ended before the sweep was complete.' });
      const result = { axes: shownAxes, rows: found, ...complete };
      setResult(result);
      setProgress(null);
      // How much of the best is luck takes longer than the sweep, and stands beside it when it comes.
      const [overfitting] = objects(await table('overfitting', { config: configOf(others), grid }, { signal: stop.current.signal }));
      setResult({ ...result, overfitting });
    }).then(() => setProgress(null));
  };
  const choose = (row) => {
    const next = { ...now().values };
    for (const axis of result.axes) next[axis.name] = plain(String(row[axis.name]));
    setAll(next);
    location.hash = '#/what-if';
  };
  const per = now().answer ? 0.012 : 0.02;
  return html`<main class="wide sweep">
    <h1 class="sentence">Which settings would have done best, and is that more than luck?</h1>
    <section class="axes" aria-label="Parameters to sweep">
      ${axes.map((axis, index) => html`<${Axis} key=${axis.name} axis=${axis} parameters=${swept.filter((each) => each.name === axis.name || !axes.some((other) => other.name === each.name))} update=${update(index)} drop=${axes.length > 1 ? () => setAxes(axes.filter((_, at) => at !== index)) : null} />`)}
      <div class="start">
        <button class="quiet" onClick=${add} disabled=${axes.length >= swept.length}>Add a parameter</button>
        <p>${counted(number, 'combination')} in ${number * per < 1 ? 'less than a second' : `about ${duration(number * per)}`}; all else as in the what-if</p>
        ${task.busy ? html`<button class="main" onClick=${() => stop.current.abort()}>Stop</button>` : html`<button class="main" disabled=${invalid || !mayRun(status)} onClick=${start}>Sweep</button>`}
      </div>
    </section>
    ${task.busy && progress && html`<${Progress} done=${progress.done} total=${progress.total} phase="combinations" remaining=${[progress.estimated_remaining_seconds && `about ${duration(progress.estimated_remaining_seconds)} left`, progress.best && `best so far ${shown(progress.best.simulated_total_pnl_sol, { round: 2 })} SOL`].filter(Boolean).join(' · ')} />`}
    <${Trouble} problem=${task.problem} />
    ${!mayRun(status) && html`<${Empty}>A reader cannot sweep; an analyst can.<//>`}
    ${result && result.rows.length > 0 && html`<div class=${task.busy ? 'stale' : ''}>
      <${Worth} overfitting=${result.overfitting} combinations=${result.combinations ?? result.rows.length} />
      <${Heat} rows=${result.rows} axes=${result.axes} choose=${choose} />
      <${Rows} rows=${result.rows} axes=${result.axes} choose=${choose} />
    </div>`}
  </main>`;
}
