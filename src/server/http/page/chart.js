// Cumulative PnL of both sides on one chart, with how far each lies below its peak beneath, in the same
// picture: what is simulated in the accent, what really happened in grey, the curve before as a ghost.

import { html, useEffect, useRef, useState } from './vendor/preact-htm.js';
import { shown } from './numbers.js';

const BELOW = 0.27; // the share of the picture that the drawdown has

const tokens = () => {
  const style = getComputedStyle(document.documentElement);
  const probe = document.createElement('span');
  document.body.append(probe);
  const color = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const found = Object.fromEntries(['ink', 'soft', 'faint', 'line', 'accent', 'paper'].map((name) => [name, color(name)]));
  probe.remove();
  return { ...found, font: `11px ${style.getPropertyValue('font-family') || 'sans-serif'}` };
};

const faded = (color, alpha) => color.replace(/^rgb\(([^)]+)\)$/, `rgba($1, ${alpha})`);
const last = (array) => (array?.length ? array[array.length - 1] : 0);
const figure = (value) => shown(value.toFixed(2), { least: 2, signed: true });

// All series on the instants of the newest answer: uPlot wants one axis.
function data({ answer, ghost }) {
  const count = answer.time.length;
  const time = Float64Array.from(answer.time, (value) => value / 1000);
  const fallen = (series) => Float64Array.from(series, (value) => -Math.abs(value));
  const before = ghost && ghost.time.length === count && ghost.time[0] === answer.time[0] && last(ghost.time) === last(answer.time) ? ghost.simulated : new Array(count).fill(null);
  return [time, before, answer.actual, answer.simulated, fallen(answer.actual_drawdown), fallen(answer.simulated_drawdown)];
}

function extent(...series) {
  let [low, high] = [0, 0];
  for (const values of series) for (const value of values) if (value !== null) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high === low ? low + 1 : high];
}

// Labels at the ends of the lines, kept from lying on each other.
function ends(u, color, wide) {
  const { ctx } = u;
  const ratio = devicePixelRatio;
  const [, before, actual, simulated] = u.data;
  const labels = [
    { value: last(simulated), text: `${figure(last(simulated))} simulated`, fill: color.accent, weight: 600 },
    { value: last(actual), text: `${figure(last(actual))} actual`, fill: color.soft, weight: 400 },
  ];
  if (before[0] !== null && Math.abs(last(before) - last(simulated)) > 1e-9) labels.push({ value: last(before), text: 'before', fill: color.soft, weight: 400 });
  for (const label of labels) label.y = u.valToPos(label.value, 'y', true);
  labels.sort((a, b) => a.y - b.y);
  for (let i = 1; i < labels.length; i++) labels[i].y = Math.max(labels[i].y, labels[i - 1].y + 14 * ratio);
  const right = u.bbox.left + u.bbox.width;
  ctx.save();
  ctx.textBaseline = 'middle';
  for (const label of labels) {
    ctx.font = `${label.weight} ${11 * ratio}px ${color.font.slice(5)}`;
    ctx.fillStyle = label.fill;
    ctx.textAlign = wide ? 'left' : 'right';
    ctx.fillText(label.text, wide ? right + 8 * ratio : right, wide ? label.y : label.y + (label === labels[0] ? -10 : 12) * ratio);
  }
  ctx.font = `${11 * ratio}px ${color.font.slice(5)}`;
  ctx.fillStyle = color.soft;
  const floor = u.valToPos(0, 'fall', true);
  if (wide) {
    ctx.fillText('fall below', right + 8 * ratio, floor + 8 * ratio);
    ctx.fillText('the peak', right + 8 * ratio, floor + 21 * ratio);
  }
  ctx.restore();
}

function options(width, height, color, shared, onCursor) {
  const wide = width > 520;
  const scale = { y: [0, 1], fall: [0, 1] };
  shared.scale = scale;
  const line = (stroke, size, fall, extra = {}) => ({ stroke, width: size, scale: fall ? 'fall' : 'y', points: { show: false }, ...extra });
  const grid = { stroke: color.line, width: 1 };
  const above = (u, splits) => splits.map((value) => (value >= shared.low - 1e-9 ? value : null));
  return {
    width,
    height,
    padding: [wide ? 10 : 20, wide ? 122 : 8, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { size: 6 }, drag: { setScale: false, x: false, y: false } },
    tzDate: (seconds) => window.uPlot.tzDate(new Date(seconds * 1000), 'Etc/UTC'),
    scales: { x: {}, y: { range: () => scale.y }, fall: { range: () => scale.fall } },
    axes: [
      { stroke: color.soft, font: color.font, grid: { show: false }, ticks: { show: false }, size: 26, gap: 6, space: wide ? 70 : 60, values: (u, at, _, __, step) => at.map((seconds) => tick(seconds, step)) },
      {
        stroke: color.soft,
        font: color.font,
        size: wide ? 46 : 34,
        gap: 6,
        space: 38,
        grid: { ...grid, filter: above },
        ticks: { show: false },
        filter: above,
        values: (u, splits) => splits.map((value) => (value === null ? null : shown(String(Number(value.toPrecision(6)))))),
      },
    ],
    series: [
      {},
      line(faded(color.accent, 0.38), 1),
      line(color.soft, 1.6),
      line(color.accent, 2.2),
      line(color.soft, 1, true),
      line(color.accent, 1.3, true),
    ],
    hooks: {
      drawAxes: [(u) => zero(u, color)],
      draw: [(u) => ends(u, color, wide)],
      setCursor: [(u) => onCursor(u.cursor.idx ?? null)],
    },
  };
}

const MONTH = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
function tick(seconds, step) {
  const date = new Date(seconds * 1000);
  const month = MONTH[date.getUTCMonth()];
  if (step >= 27 * 86400) return month;
  return step >= 86400 ? `${date.getUTCDate()} ${month}` : `${String(date.getUTCHours()).padStart(2, '0')}:${String(date.getUTCMinutes()).padStart(2, '0')}`;
}

// The lines of zero, of both parts.
function zero(u, color) {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.lineWidth = devicePixelRatio;
  for (const [scale, stroke] of [['y', color.faint], ['fall', color.line]]) {
    const y = Math.round(u.valToPos(0, scale, true));
    ctx.strokeStyle = stroke;
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
  }
  ctx.restore();
}

function rescale(shared, series) {
  const [, before, actual, simulated, fallen, fell] = series;
  const [low, high] = extent(before, actual, simulated);
  const [deep] = extent(fallen, fell);
  const reach = (high - low) * 1.04;
  shared.low = low - (high - low) * 0.02;
  shared.scale.y = [high - reach / (1 - BELOW), high + (high - low) * 0.02];
  const depth = Math.min(deep, -1e-9) * 1.06;
  shared.scale.fall = [depth, -depth / (BELOW * 0.82) + depth];
}

export function Equity({ answer, ghost, label, height = 350 }) {
  const root = useRef();
  const plot = useRef(null);
  const shared = useRef({ low: 0 });
  const [at, setAt] = useState(null);
  const drawing = useRef({ answer, ghost });
  drawing.current = { answer, ghost };

  useEffect(() => {
    const make = () => {
      plot.current?.destroy();
      const width = Math.max(240, root.current.clientWidth);
      const series = data(drawing.current);
      const settings = options(width, width > 520 ? height : Math.min(height, 260), tokens(), shared.current, setAt);
      rescale(shared.current, series);
      plot.current = new window.uPlot(settings, series, root.current);
    };
    make();
    const theme = matchMedia('(prefers-color-scheme: dark)');
    theme.addEventListener('change', make);
    let width = root.current.clientWidth;
    const resized = new ResizeObserver(() => {
      if (root.current && root.current.clientWidth !== width) {
        width = root.current.clientWidth;
        make();
      }
    });
    resized.observe(root.current);
    return () => {
      theme.removeEventListener('change', make);
      resized.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [height]);

  useEffect(() => {
    if (!plot.current) return;
    const series = data({ answer, ghost });
    rescale(shared.current, series);
    plot.current.setData(series);
  }, [answer, ghost]);

  const move = (event) => {
    const by = { ArrowLeft: -8, ArrowRight: 8, Home: -1e9, End: 1e9 }[event.key];
    if (!by) return;
    event.preventDefault();
    const u = plot.current;
    const to = Math.max(0, Math.min(answer.time.length - 1, (at ?? 0) + by));
    u.setCursor({ left: u.valToPos(u.data[0][to], 'x'), top: 20 });
  };
  const index = at === null ? null : Math.min(at, answer.time.length - 1);
  const read = index === null ? null : new Date(answer.time[index]).toISOString().slice(0, 16).replace('T', ' ');
  return html`<figure class="equity">
    <div ref=${root} class="plot" tabindex="0" role="group" aria-label=${label} onKeyDown=${move}></div>
    <figcaption class="reading" aria-live="off">
      ${read
        ? html`${read} · simulated <b class="accent">${figure(answer.simulated[index])}</b> · actual <b>${figure(answer.actual[index])}</b> · difference <b>${figure(answer.simulated[index] - answer.actual[index])}</b> SOL`
        : 'Cumulative PnL in SOL, as trades ended'}
    </figcaption>
  </figure>`;
}
