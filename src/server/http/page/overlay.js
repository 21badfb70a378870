// The simulated curves of several runs in one picture, each named at its end; the lines differ in their
// dashes, not in colours of their own.

import { html } from './vendor/preact-htm.js';
import { day, shown } from './numbers.js';
import { path } from './parts.js';
import { titled } from './words.js';

const W = 900;
const H = 260;
const RIGHT = 190;
const DASHES = ['', '6 3', '2 3', '9 3 2 3', '1 4', '12 4'];

// Few enough points to draw: first, least, greatest and last of each bucket.
export function thinned(given, buckets = 300) {
  const points = [...given].sort(([a], [b]) => a - b);
  if (points.length <= buckets * 4) return points;
  const each = points.length / buckets;
  const kept = [];
  for (let bucket = 0; bucket < buckets; bucket++) {
    const part = points.slice(Math.floor(bucket * each), Math.floor((bucket + 1) * each));
    let [low, high] = [0, 0];
    part.forEach(([, value], index) => {
      if (value < part[low][1]) low = index;
      if (value > part[high][1]) high = index;
    });
    kept.push(...[...new Set([0, low, high, part.length - 1])].sort((a, b) => a - b).map((index) => part[index]));
  }
  return kept;
}

export function Overlay({ runs, curves }) {
  const lines = [
    { name: 'actual', points: thinned(curves[0].map((row) => [Date.parse(row.timestamp), Number(row.actual_pnl_sol)])), actual: true },
    ...runs.map((run, index) => ({ name: titled(run), points: thinned(curves[index].map((row) => [Date.parse(row.timestamp), Number(row.simulated_pnl_sol)])) })),
  ].filter((line) => line.points.length);
  if (!lines.length) return null;
  const all = lines.flatMap((line) => line.points);
  const extent = (at) => all.reduce(([low, high], point) => [Math.min(low, point[at]), Math.max(high, point[at])], at ? [0, 0] : [Infinity, -Infinity]);
  const [from, to] = extent(0);
  const [low, high] = extent(1);
  const x = (time) => ((time - from) / (to - from || 1)) * (W - RIGHT);
  const y = (value) => 10 + ((high - value) / (high - low || 1)) * (H - 40);
  const ends = lines.map((line, index) => ({ line, index, y: y(line.points[line.points.length - 1][1]), value: line.points[line.points.length - 1][1] })).sort((a, b) => a.y - b.y);
  for (let i = 1; i < ends.length; i++) ends[i].y = Math.max(ends[i].y, ends[i - 1].y + 15);
  return html`<div class="scroll" tabindex="0" role="group" aria-label="Curves"><svg class="overlay" viewBox="0 0 ${W} ${H}" role="img" aria-label=${ends.map((end) => `${end.line.name} ends at ${shown(end.value.toFixed(2), { least: 2 })} SOL`).join(', ')}>
    <line class="zero" x1="0" x2=${W - RIGHT} y1=${y(0)} y2=${y(0)} />
    ${lines.map((line, index) => html`<path class=${line.actual ? 'really' : 'line'} stroke-dasharray=${line.actual ? '' : DASHES[(index - 1) % DASHES.length]} d=${path(line.points, x, y)} />`)}
    ${ends.map((end) => html`<text class=${end.line.actual ? '' : 'accent'} x=${W - RIGHT + 8} y=${end.y + 4}>${shown(end.value.toFixed(2), { least: 2, signed: true })} ${end.line.name.length > 20 ? `${end.line.name.slice(0, 19)}…` : end.line.name}</text>`)}
    <text x="0" y=${H - 4}>${day(new Date(from).toISOString())}</text><text x=${W - RIGHT} y=${H - 4} class="end">${day(new Date(to).toISOString())}</text>
  </svg></div>`;
}
