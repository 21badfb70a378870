// What the page knows, in one place, and who is told when it changes.

import { useEffect, useReducer, useRef } from './vendor/preact-htm.js';

let state = {
  phase: 'starting', // starting, token, ready
  status: null, // of the server: role, dataset, period
  parameters: [],
  metrics: [], // of a result: title, unit, whether more is better
  kept: null, // the last day of the period, where its last part is kept back
  live: {}, // the settings in force, flat, with the defaults of what the live system does not know
  settings: null, // of the live system: version, who changed them last
  values: {}, // what the sliders say
  typed: {}, // fields whose text is no value yet: {name: {text, problem}}
  locked: new Set(),
  answer: null, // the newest of the live what-if
  asked: null, // the settings it answers
  ghost: null, // curves of the settings before the last move
  curves: {}, // response curves by parameter, and for which settings
  tried: new Map(), // settings that were looked at since the page was opened, each with its Sharpe ratio
  interval: null,
  changes: null, // rows of compare_trades for the settings let go
  problem: null, // of the what-if
  away: false, // the server does not answer
  describing: null, // the parameter whose description is shown
};
const listeners = new Set();

export const now = () => state;

export function change(patch) {
  state = { ...state, ...(typeof patch === 'function' ? patch(state) : patch) };
  for (const listener of listeners) listener();
}

// A part that is drawn again when what it selects is another value.
export function useShared(select) {
  const [, again] = useReducer((count) => count + 1, 0);
  const seen = useRef();
  seen.current = select(state);
  useEffect(() => {
    const listener = () => {
      if (select(state) !== seen.current) again();
    };
    listeners.add(listener);
    listener();
    return () => listeners.delete(listener);
  }, []);
  return seen.current;
}

const canStore = new Set(['analyst', 'operator']);
export const mayRun = (status) => canStore.has(status?.role);
export const mayApply = (status) => status?.role === 'operator';
