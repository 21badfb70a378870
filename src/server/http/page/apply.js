// Applying a stored run to the live system: what changes, four groups to tick, the short id to type; and
// what was applied before, with its undo.

import { html, useState } from './vendor/preact-htm.js';
import * as api from './api.js';
import { moment, plain, shown } from './numbers.js';
import { Empty, Modal, Trouble, useLoaded, useTask } from './parts.js';
import { history } from './runs.js';
import { mayApply, now, useShared } from './store.js';
import { group, label, shortId, titled, words } from './words.js';
import { settingsAgain } from './work.js';

const GROUPS = { scoring_weights: 'apply_scoring_weights', score_threshold: 'apply_threshold', position_sizing: 'apply_position_sizing', exit_strategy: 'apply_exit_strategy' };
const show = (value) => (value === null || value === undefined ? 'none' : /^-?[\d.]+$/.test(String(value)) ? shown(String(plain(String(value)))) : words(String(value)));
const list = (value) => (Array.isArray(value) ? value : String(value ?? '').replace(/[{}[\]"]/g, '').split(/,\s*/)).filter(Boolean).map(words).join(', ');
const yes = (value) => value === true || value === 'true';

function Preview({ run, short, preview, past, again }) {
  const status = useShared((state) => state.status);
  const [ticked, setTicked] = useState(Object.fromEntries(Object.keys(GROUPS).map((name) => [name, true])));
  const [without, setWithout] = useState(false);
  const [typed, setTyped] = useState('');
  const [applied, setApplied] = useState(null);
  const [task, doing] = useTask();
  const changes = preview.changes.filter((each) => yes(each.changed));
  const able = changes.filter((each) => each.setting_group);
  const unable = changes.filter((each) => !each.setting_group);
  const ready = able.some((each) => ticked[each.setting_group]) && (!unable.length || without) && typed.trim().toLowerCase() === short;
  const apply = (event) => {
    event.preventDefault();
    if (!ready) return;
    doing(async () => {
      const request = { backtest_id: run.id, confirm_apply: true, settings_version: preview.settings_version };
      for (const [name, key] of Object.entries(GROUPS)) request[key] = ticked[name];
      if (unable.length) request.without = unable.map((each) => each.setting);
      const result = await api.post('backtest/apply', request);
      if (result.success === false) throw new api.Problem({ detail: result.error_message });
      setApplied(result);
      setTyped('');
      await settingsAgain();
      again();
    });
  };
  const isUndone = past.some((row) => row.id === applied?.history_id && row.rolled_back_at);
  if (applied && !isUndone) return html`<p class="done" role="status">Applied: ${list(applied.changes_applied) || 'nothing differed'}. The live system trades by these settings from now on; <i>Undo</i> below takes them back.</p>`;
  const stale = task.problem?.status === 409;
  return html`<form class="preview" onSubmit=${apply}>
    ${able.length === 0 ? html`<${Empty}>The live settings are those of this run: there is nothing to apply.<//>` : html`<table>
      <thead><tr><th scope="col">setting</th><th scope="col">live</th><th scope="col">proposed</th></tr></thead>
      ${Object.keys(GROUPS).map((name) => {
        const rows = able.filter((each) => each.setting_group === name);
        return rows.length > 0 && html`<tbody class=${ticked[name] ? '' : 'off'}>
          <tr class="group-row"><th colspan="3" scope="rowgroup"><label><input type="checkbox" checked=${ticked[name]} onChange=${(event) => setTicked({ ...ticked, [name]: event.target.checked })} /> ${group(name)}</label></th></tr>
          ${rows.map((each) => html`<tr data-setting=${each.setting}><th scope="row">${label(each.setting)}</th><td>${show(each.current)}</td><td><b>${show(each.proposed)}</b></td></tr>`)}
        </tbody>`;
      })}
    </table>`}
    ${unable.length > 0 && html`<div class="unable"><h2>What the live system does not know</h2>
      <p>It will not trade as this run did: ${unable.map((each, index) => html`${index ? ', ' : ''}${label(each.setting).toLowerCase()} <b>${show(each.proposed)}</b>`)}.</p>
      <label><input type="checkbox" checked=${without} onChange=${(event) => setWithout(event.target.checked)} /> Apply without ${unable.length === 1 ? 'it' : 'them'}</label></div>`}
    ${able.length > 0 && (preview.objections ?? []).map((each) => html`<p class="soft">${each[0].toUpperCase() + each.slice(1)}.</p>`)}
    ${able.length > 0 && (mayApply(status)
      ? html`<div class="confirm"><label for="short-id">To apply, type the run's short id <code>${short}</code></label>
          <input id="short-id" class="text" autocomplete="off" autocapitalize="off" spellcheck="false" value=${typed} onInput=${(event) => setTyped(event.target.value)} />
          <button class="main" disabled=${!ready || task.busy}>${task.busy ? 'Applying…' : 'Apply These Settings'}</button></div>`
      : html`<p class="ground why-not">Applying changes how money is traded, so only an operator may; this page's token has the role <b>${status.role}</b>. A server started with <code>--trust operator</code>, or an operator's name and password, may.</p>`)}
    <${Trouble} problem=${task.problem} again=${stale ? again : null} />
  </form>`;
}

function Undo({ row, close, done }) {
  const [task, doing] = useTask();
  const before = Object.entries(row.previous_values ?? {});
  const go = () => doing(async () => {
    await api.post('settings/rollback', { history_id: row.id, confirm: true });
    await settingsAgain();
    done();
  });
  return html`<${Modal} title="Put back what was there before?" close=${close}>
    <table><tbody>${before.map(([name, value]) => html`<tr><th scope="row">${label(name.split('.').pop())}</th><td>${typeof value === 'object' && value !== null ? Object.entries(value).map(([key, each]) => `${words(key)} ${show(each)}`).join(', ') : show(value)}</td></tr>`)}</tbody></table>
    <${Trouble} problem=${task.problem} />
    <div class="actions"><button class="quiet" onClick=${close}>Leave it</button><button class="main" disabled=${task.busy} onClick=${go}>Undo</button></div>
  <//>`;
}

function History({ rows, runs, again }) {
  const named = (id) => {
    const run = runs.find((each) => each.id === id);
    return run ? titled(run) : html`<code>${id.slice(0, 8)}</code>`;
  };
  const status = useShared((state) => state.status);
  const [undoing, setUndoing] = useState(null);
  const last = rows.find((row) => !row.rolled_back_at);
  return html`<section aria-label="What was applied"><h2>What was applied <span>newest first</span></h2>
    ${rows.length === 0 ? html`<${Empty}>Nothing yet.<//>` : html`<div class="scroll" tabindex="0" role="group" aria-label="History of the settings"><table>
      <thead><tr><th scope="col">when</th><th scope="col">by</th><th scope="col">run</th><th scope="col">what</th><td></td></tr></thead>
      <tbody>${rows.map((row) => html`<tr key=${row.id} data-history=${row.id}><th scope="row">${moment(row.applied_at, { year: true })}</th><td>${row.applied_by}</td><td>${row.backtest_id ? html`<a href=${`#/runs/${row.backtest_id}`}>${named(row.backtest_id)}</a>` : '–'}</td><td class="what">${list(row.changes_applied)}</td>
        <td>${row.rolled_back_at ? html`<span class="pending">undone ${moment(row.rolled_back_at)}</span>` : row === last && mayApply(status) ? html`<button class="quiet" onClick=${() => setUndoing(row)}>Undo</button>` : ''}</td></tr>`)}</tbody>
    </table></div>`}
    ${undoing && html`<${Undo} row=${undoing} close=${() => setUndoing(null)} done=${() => (setUndoing(null), again())} />`}
  </section>`;
}

export function Apply({ rest }) {
  const loaded = useLoaded(async (signal) => {
    const [runs, past] = await Promise.all([history(signal), api.get('settings/history', { signal })]);
    return { runs: runs.filter((run) => run.status === 'completed'), past: past.history ?? past };
  }, 'apply');
  const wanted = rest[0];
  const run = loaded.value && (wanted ? loaded.value.runs.find((each) => each.id.startsWith(wanted)) : null);
  const preview = useLoaded((signal) => (run ? api.get(`backtest/preview/${run.id}`, { signal }) : Promise.resolve(null)), run?.id);
  const ids = (loaded.value?.runs ?? []).map((each) => each.id);
  const { settings } = now();
  const changed = settings?.last_changed;
  return html`<main class="wide apply">
    <h1 class="sentence">${run ? html`Make the settings of “${titled(run)}” those of the live system` : 'Which stored run should the live system trade by?'}</h1>
    <p class="ground">${changed ? html`The live settings were last changed ${moment(changed.applied_at, { year: true })} by <b>${changed.applied_by}</b>.` : 'The live settings have not been changed from here.'}</p>
    <${Trouble} problem=${loaded.problem} again=${loaded.again} />
    ${loaded.value && html`<div class="filters"><label for="which-run">Run</label><select id="which-run" value=${run?.id ?? ''} onChange=${(event) => (location.hash = `#/apply/${event.target.value}`)}>
      <option value="" selected=${!run}>choose one…</option>
      ${loaded.value.runs.map((each) => html`<option value=${each.id} selected=${each.id === run?.id}>${titled(each)} · ${shortId(each.id, ids)} · ${shown(each.pnl_difference_sol, { round: 2, signed: true })} SOL</option>`)}
    </select></div>`}
    ${wanted && loaded.value && !run && html`<${Trouble} problem=${{ message: `No completed run has the id ${wanted}.`, hint: 'Choose one of those that are stored.' }} />`}
    <${Trouble} problem=${preview.problem} again=${preview.again} />
    ${run && preview.value && !preview.stale && html`<${Preview} key=${`${run.id}`} run=${run} short=${shortId(run.id, ids)} preview=${preview.value} past=${loaded.value.past} again=${() => (preview.again(), loaded.again())} />`}
    ${loaded.value && html`<${History} rows=${loaded.value.past} runs=${loaded.value.runs} again=${() => (preview.again(), loaded.again())} />`}
  </main>`;
}
