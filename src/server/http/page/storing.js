// Storing a run: a label, progress as it comes, and where to go from there.

import { html, useRef, useState } from './vendor/preact-htm.js';
import { Problem, events } from './api.js';
import { duration } from './numbers.js';
import { Modal, Progress, Trouble, useTask } from './parts.js';
import { now } from './store.js';
import { words } from './words.js';
import { configOf, triedSoFar } from './work.js';

export function StoreRun({ close }) {
  const [name, setName] = useState('');
  const [progress, setProgress] = useState(null);
  const [stored, setStored] = useState(null);
  const [task, run] = useTask();
  const stop = useRef(null);
  const store = (event) => {
    event.preventDefault();
    setProgress(null);
    stop.current = new AbortController();
    run(async () => {
      let result = null;
      const config = { ...configOf(now().values), ...(name.trim() ? { label: name.trim() } : {}), tried: triedSoFar() };
      await events(
        'backtest/run/stream?trades=0',
        config,
        (kind, data) => {
          if (kind === 'error') throw new Problem(data);
          if (kind === 'complete') result = data;
          else setProgress(data);
        },
        { signal: stop.current.signal },
      );
      if (!result) throw new Problem({ detail: 'The server ended before the run was complete.' });
      setStored(result);
    });
  };
  const leave = () => {
    stop.current?.abort();
    close();
  };
  if (stored) return html`<${Modal} title="Stored" close=${close}>
    <p>The run is kept, with every trade and comparison.</p>
    <div class="actions">
      <button class="quiet" onClick=${close}>Go on</button>
      <a class="button" href=${`#/runs/${stored.id}`} onClick=${close}>See it</a>
      <a class="button main" href=${`#/apply/${stored.id}`} onClick=${close}>Apply these settings…</a>
    </div>
  <//>`;
  return html`<${Modal} title="Store this run" close=${leave}>
    <form onSubmit=${store}>
      <label for="run-label">Label</label>
      <input id="run-label" class="text" maxlength="200" autocomplete="off" placeholder="such as: before the weekend" value=${name} disabled=${task.busy} onInput=${(event) => setName(event.target.value)} />
      ${task.busy && html`<${Progress} phase=${words(progress?.current_phase ?? 'starting')} done=${progress?.signals_processed} total=${progress?.total_signals} remaining=${progress?.estimated_remaining_seconds ? `about ${duration(progress.estimated_remaining_seconds)} left` : ''} />`}
      <${Trouble} problem=${task.problem} />
      <div class="actions">
        <button type="button" class="quiet" onClick=${leave}>Cancel</button>
        <button class="main" disabled=${task.busy}>${task.busy ? 'Storing…' : 'Store'}</button>
      </div>
    </form>
  <//>`;
}
