// What a grid of settings came to: a map of two of its parameters, what the best of it is worth, and every
// combination. The same on the page and in a report, where nothing can be chosen.

import { html, useMemo, useState } from './vendor/preact-htm.js';
import { same } from './config.js';
import { counted, plain, shown } from './numbers.js';
import { Difference } from './parts.js';
import { share } from './results.js';
import { label, unitOf, words } from './words.js';

// The heat map: over two axes, each cell the largest over the others, or a slice of them.
export function Heat({ rows: every, axes, choose = null, here = null }) {
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
  const hereKey = here && `${plain(String(here[across.name]))}|${down ? plain(String(here[down.name])) : ''}`;
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
          const text = shown(cell.row[which], { round: 2, signed: which === 'pnl_difference_sol' });
          return html`<td class=${[key === bestKey && 'is-best', key === hereKey && 'is-here'].filter(Boolean).join(' ')} style=${tone(cell.value)}>${choose ? html`<button title="Take these settings to the what-if" onClick=${() => choose(cell.row)}>${text}</button>` : text}</td>`;
        })}
      </tr>`)}</tbody>
    </table>
    </div>
    ${cells.size > 0 && html`<p class="ground">
      <span key="edge">${edge.length > 0 ? html`<b>The best cell lies on the edge of the grid</b>` : 'The best cell lies inside the grid'}</span>
      <span key="where">${edge.length > 0 ? ` in ${edge.join(' and ')}: what is beyond is not known. ` : '. '}</span>
      ${cells.size > 1 && html`<span key="plateau">${near > 1 ? `${near} of ${cells.size} cells are within 5 % of it: a plateau, not a peak.` : 'No other cell is within 5 % of it: a peak, which the next months seldom repeat.'}</span>`}
    </p>`}
  </section>`;
}

const measure = (name) => (name === 'simulated_pnl_conservative_sol' ? 'PnL at worst fills, SOL' : [label(name.replace(/^simulated_/, '')), unitOf(name.replace(/^simulated_/, ''))].filter(Boolean).join(', '));
const decimalOrWords = (value) => (/^[-\d.]+$/.test(value) ? shown(value) : words(value));

export function Worth({ overfitting, combinations }) {
  const each = overfitting;
  const known = (name) => each && each[name] !== null && each[name] !== undefined;
  return html`<p class="ground worth">
    <span key="number"><b>${shown(String(combinations))}</b> combinations were tried. </span>
    ${!each && html`<span key="weighing" class="pending">How much of the best is luck is being weighed… </span>`}
    ${known('deflated_sharpe_ratio') && html`<span key="deflated">That the gain of the best is more than the luck of so many tries is <b>${share(Number(each.deflated_sharpe_ratio))}</b> likely (deflated Sharpe ratio). </span>`}
    ${known('probability_of_overfitting') && html`<span key="overfitting">Probability of overfitting: <b>${share(Number(each.probability_of_overfitting))}</b>.</span>`}
  </p>`;
}

export function Combinations({ rows, axes, choose = null }) {
  const best = useMemo(() => [...rows].sort((a, b) => Number(b.simulated_total_pnl_sol) - Number(a.simulated_total_pnl_sol)), [rows]);
  const [many, setMany] = useState(20);
  return html`<section class="sweep-rows"><h2>Every combination <span>best first</span></h2>
    <div class="scroll" tabindex="0" role="group" aria-label="Combinations"><table>
      <thead><tr>${axes.map((axis) => html`<th scope="col">${label(axis.name)}</th>`)}<th scope="col">trades</th><th scope="col">win rate, %</th><th scope="col">PnL, SOL</th><th scope="col">at worst fills</th><th scope="col">difference</th>${choose && html`<td></td>`}</tr></thead>
      <tbody>${best.slice(0, many).map((row) => html`<tr>
        ${axes.map((axis) => html`<td>${decimalOrWords(plain(String(row[axis.name])))}</td>`)}
        <td>${shown(String(row.simulated_total_trades))}</td><td>${shown(row.simulated_win_rate, { least: 2 })}</td><td>${shown(row.simulated_total_pnl_sol, { least: 4 })}</td>
        <td>${shown(row.simulated_pnl_conservative_sol, { least: 4 })}</td><td><${Difference} value=${row.pnl_difference_sol} least=${4} /></td>
        ${choose && html`<td><button class="more" onClick=${() => choose(row)}>To the what-if</button></td>`}
      </tr>`)}</tbody>
    </table></div>
    ${best.length > many && html`<button class="more" onClick=${() => setMany(many + 100)}>${counted(best.length - many, 'more combination')}</button>`}
  </section>`;
}
