// One parameter: its name, its field, and the slider that stands on its own answer, the PnL that each of
// its positions would give, all else as it is.

import { html, useEffect, useRef } from './vendor/preact-htm.js';
import { kind, range, same } from './config.js';
import { plain, shown } from './numbers.js';
import { path } from './parts.js';
import { change, useShared } from './store.js';
import { label, unit, words } from './words.js';
import { hold, inSight, letGo, lock, set } from './work.js';

const W = 300;
const H = 30;

// Level as a line, conservative dotted, the doubt between them shaded, and the best point marked.
function Curve({ curve, minimum, maximum }) {
  // What lies beyond the slider's end has no place above it.
  const within = curve.x.map((_, index) => index).filter((index) => Number(curve.x[index]) <= maximum);
  const [at, level, worst] = [curve.x, curve.simulated, curve.conservative].map((series) => within.map((index) => Number(series[index])));
  const [high, low] = [Math.max(0, ...level, ...worst), Math.min(0, ...level, ...worst)];
  const x = (value) => ((value - minimum) / (maximum - minimum || 1)) * W;
  const y = (value) => 3 + ((high - value) / (high - low || 1)) * (H - 6);
  const points = (series) => at.map((value, index) => [value, series[index]]).filter(([, value]) => Number.isFinite(value));
  const best = level.indexOf(Math.max(...level));
  const idle = level.every((value) => value === level[0]);
  const doubt = `${path(points(level), x, y)}${path(points(worst).reverse(), x, y).replace('M', 'L')}Z`;
  return html`<svg class="curve" viewBox="0 0 ${W} ${H}" preserveAspectRatio="none" aria-hidden="true">
      <path class="doubt" d=${doubt} />
      <line class="zero" x1="0" x2=${W} y1=${y(0)} y2=${y(0)} />
      <path class="worst" d=${path(points(worst), x, y)} />
      <path class="level" d=${path(points(level), x, y)} />
    </svg>
    ${!idle && html`<svg class="best" viewBox="-4 -4 8 8" aria-hidden="true" style=${{ left: `${(x(at[best]) / W) * 100}%`, top: `${y(level[best])}px` }}>
      <circle r="2.6" />
    </svg>`}`;
}

const answerOf = (curve) => {
  const level = curve.simulated.map(Number);
  const best = level.indexOf(Math.max(...level));
  if (level.every((value) => value === level[0])) return 'the same at every position';
  return `best at ${plain(curve.x[best])}, where ${shown(curve.simulated[best], { round: 2 })} SOL`;
};

function Field({ parameter, value, problem, text, id }) {
  const shownText = problem ? text : value ?? '';
  return html`<input
    id=${id}
    class="field"
    inputmode="decimal"
    autocomplete="off"
    spellcheck="false"
    value=${shownText}
    size=${Math.max(2, String(shownText).length)}
    aria-invalid=${problem ? 'true' : undefined}
    aria-describedby=${problem ? `${id}-problem` : `${id}-says`}
    onFocus=${(event) => event.target.select()}
    onChange=${(event) => set(parameter.name, event.target.value.trim(), { typed: true })}
  />`;
}

function Numeric({ id, parameter, value, live, curve, problem, text, moved, locked }) {
  const { minimum, maximum, step, digits } = useShared((state) => rangeOf(parameter, state.live));
  const top = Math.max(maximum, Number(value ?? 0));
  const x = (at) => `${Math.max(0, Math.min(1, (Number(at) - minimum) / (top - minimum || 1))) * 100}%`;
  const slid = (event) => set(parameter.name, String(Number(Number(event.target.value).toFixed(digits + 2))));
  const symbol = unit(parameter.unit);
  const weight = parameter.group === 'scoring_weights';
  return html`<div class="top">
      <label for=${id}>${label(parameter.name)}</label>
      ${weight && html`<button class=${`lock ${locked ? 'is-locked' : ''}`} aria-pressed=${locked} aria-label=${`Keep ${label(parameter.name)}`} title=${locked ? 'Kept as it is while others move' : 'Gives way while others move'} onClick=${() => lock(parameter.name)}></button>`}
      <span class="entry"><${Field} ...${{ parameter, value, problem, text, id }} />${symbol && html`<i>${symbol}</i>`}</span>
    </div>
    <div class=${`track ${curve ? 'with-curve' : ''}`}>
      ${curve && html`<${Curve} curve=${curve} minimum=${minimum} maximum=${top} />`}
      <input
        type="range"
        min=${minimum}
        max=${top}
        step=${step}
        value=${value}
        disabled=${locked}
        aria-label=${label(parameter.name)}
        aria-valuetext=${`${shown(value)} ${symbol}`}
        aria-describedby=${`${id}-says`}
        onPointerDown=${() => hold(parameter.name)}
        onKeyDown=${() => hold(parameter.name)}
        onInput=${slid}
        onChange=${letGo}
        onPointerUp=${letGo}
        onKeyUp=${letGo}
      />
      ${live !== null && live !== undefined && html`<span class="live" style=${{ left: x(live) }} title=${`Live: ${shown(live)} ${symbol}`}></span>`}
    </div>
    ${problem && html`<p class="problem" id=${`${id}-problem`} role="alert">${problem}</p>`}
    <p class="aside" id=${`${id}-says`}>
      ${parameter.description}. Default ${shown(parameter.default)}, live ${shown(live)}.${curve ? ` PnL is ${answerOf(curve)}.` : ''}
    </p>`;
}

const ranges = new Map();
// A slider's range does not change under the hand.
function rangeOf(parameter, live) {
  const known = ranges.get(parameter.name);
  if (known?.live === live) return known;
  const found = { ...range(parameter, live, live), live };
  ranges.set(parameter.name, found);
  return found;
}

function Choice({ id, parameter, value, live }) {
  return html`<div class="top">
    <label for=${id}>${label(parameter.name)}</label>
    <select id=${id} value=${value} title=${`${parameter.description}. Live: ${words(live)}`} onChange=${(event) => set(parameter.name, event.target.value, { typed: true })}>
      ${parameter.choices.map((choice) => html`<option value=${choice} selected=${choice === value}>${words(choice)}</option>`)}
    </select>
  </div>`;
}

function Switch({ id, parameter, value }) {
  const on = value === true || value === 'true';
  return html`<div class="top">
    <label for=${id}>${label(parameter.name)}</label>
    <input id=${id} type="checkbox" role="switch" checked=${on} title=${parameter.description} onChange=${(event) => set(parameter.name, event.target.checked, { typed: true })} />
  </div>`;
}

function Text({ id, parameter, value, problem, text }) {
  return html`<div class="top">
      <label for=${id}>${label(parameter.name)}</label>
      <input id=${id} class="field long" autocomplete="off" spellcheck="false" placeholder="none" value=${problem ? text : value ?? ''} title=${parameter.description} onChange=${(event) => set(parameter.name, event.target.value.trim() || null, { typed: true })} />
    </div>`;
}

// Days are written as everywhere in the product, whatever the browser's country.
const DateField = ({ id, parameter, value, problem, text }) => {
  return html`<div class="top">
      <label for=${id}>${label(parameter.name)}</label>
      <input id=${id} class="field date" autocomplete="off" spellcheck="false" placeholder="YYYY-MM-DD" value=${problem ? text : value ?? ''} title=${parameter.description} aria-invalid=${problem ? 'true' : undefined} onChange=${(event) => set(parameter.name, event.target.value.trim(), { typed: true })} />
    </div>
    ${problem && html`<p class="problem" role="alert">${problem}</p>`}`;
};

// A parameter that is none: a button gives it its first value.
function None({ parameter }) {
  const symbol = unit(parameter.unit);
  const first = () => {
    const { minimum, maximum, step, digits } = range(parameter, {}, {});
    const at = parameter.maximum === null || parameter.maximum === undefined ? maximum / 4 : (minimum + maximum) / 2;
    set(parameter.name, String(Number((minimum + Math.max(1, Math.round((at - minimum) / step)) * step).toFixed(digits))), { typed: true });
  };
  return html`<div class="top">
    <span class="name">${label(parameter.name)}</span>
    <button class="none" aria-label=${`${label(parameter.name)}: none. Set it`} title=${`${parameter.description}${symbol ? `, ${symbol}` : ''}`} onClick=${first}>none</button>
  </div>`;
}

// `place` tells it from the same parameter elsewhere on the page.
export function Parameter({ parameter, place = '' }) {
  const { name } = parameter;
  const value = useShared((state) => state.values[name]);
  const live = useShared((state) => state.live[name]);
  const typed = useShared((state) => state.typed[name]);
  const curve = useShared((state) => state.curves[name]);
  const locked = useShared((state) => state.locked.has(name));
  // What the server refused of it.
  const refused = useShared((state) => (state.problem?.parameter === name ? state.problem : null));
  const moved = !same(value, live);
  const root = useRef();
  const number = kind(parameter) === 'number';
  useEffect(() => {
    if (!number) return undefined;
    const seen = new IntersectionObserver(([entry]) => {
      inSight(name, entry.target, entry.isIntersecting);
    });
    const element = root.current;
    seen.observe(element);
    return () => {
      seen.disconnect();
      inSight(name, element, false);
    };
  }, [number]);
  const none = (value === null || value === undefined) && !typed;
  const nullable = parameter.default === null || parameter.default === undefined;
  const part = { number: none ? None : Numeric, choice: Choice, switch: Switch, text: Text, date: DateField }[kind(parameter)];
  const describe = () => change({ describing: parameter });
  return html`<div ref=${root} class=${`parameter ${moved ? 'moved' : ''}`} data-parameter=${name} onFocusCapture=${describe} onPointerEnter=${describe} onPointerLeave=${() => change({ describing: null })}>
    <${part} ...${{ id: `${place}p-${name}`, parameter, value, live, curve, moved, locked, problem: typed?.problem, text: typed?.text }} />
    ${refused && !typed && html`<p class="problem" role="alert">${refused.message}</p>`}
    ${nullable && !none && kind(parameter) === 'number' && html`<button class="none unset" onClick=${() => set(name, null, { typed: true })}>none</button>`}
  </div>`;
}
