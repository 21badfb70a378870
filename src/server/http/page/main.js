// The shell: which view, who asks, over what; and what is said while the server is away.

import { html, render, useEffect, useState } from './vendor/preact-htm.js';
import { takeToken } from './api.js';
import { Apply } from './apply.js';
import { days, shown } from './numbers.js';
import { Empty, Trouble, useTask } from './parts.js';
import { Runs } from './runs.js';
import { change, useShared } from './store.js';
import { Sweep } from './sweep.js';
import { Trades } from './trades.js';
import { Trust } from './trust.js';
import { WhatIf } from './whatif.js';
import { start, withToken } from './work.js';

const VIEWS = [
  ['what-if', 'What-if', WhatIf],
  ['trades', 'Trades', Trades],
  ['sweep', 'Sweep', Sweep],
  ['runs', 'Runs', Runs],
  ['trust', 'Trust', Trust],
  ['apply', 'Apply', Apply],
];

const place = () => {
  const [, view = '', ...rest] = location.hash.split('/');
  const found = VIEWS.find(([name]) => name === view) ?? VIEWS[0];
  return { name: found[0], rest: rest.map(decodeURIComponent) };
};

function usePlace() {
  const [at, setAt] = useState(place());
  useEffect(() => {
    const listener = () => setAt(place());
    addEventListener('hashchange', listener);
    return () => removeEventListener('hashchange', listener);
  }, []);
  return at;
}

// The link that a server prints at its start, asked for when its token is not known: nothing typed is lost.
function AskForLink() {
  const [text, setText] = useState('');
  const [task, run] = useTask();
  const parameters = useShared((state) => state.parameters.length);
  const submit = (event) => {
    event.preventDefault();
    run(() => withToken(text));
  };
  return html`<div class="ask">
    <form onSubmit=${submit}>
      <h1 class="sentence">${parameters ? 'The server was started again.' : 'Which server start is this page of?'}</h1>
      <p>A server prints a link when it starts, with a token that only this tab keeps. Open that link, or paste it here${parameters ? '; what you set stays as it is' : ''}.</p>
      <label for="link">Link or token</label>
      <input id="link" class="text" autocomplete="off" spellcheck="false" placeholder="http://127.0.0.1:8433/#token=…" value=${text} onInput=${(event) => setText(event.target.value)} />
      <${Trouble} problem=${task.problem && (task.problem.unknownToken ? { message: 'This token is not of the server that runs now.', hint: 'The line “page on http://…” on its standard error has the right one.' } : task.problem)} />
      <div class="actions"><button class="main" disabled=${task.busy || !text.trim()}>Go on</button></div>
    </form>
  </div>`;
}

function Header({ at }) {
  const status = useShared((state) => state.status);
  const values = useShared((state) => state.values);
  return html`<header>
    <a class="mark" href="#/what-if">hindsight</a>
    <nav aria-label="Views">
      ${VIEWS.map(([name, title]) => html`<a href=${`#/${name}`} aria-current=${at.name === name ? 'page' : undefined}>${title}</a>`)}
    </nav>
    ${status && html`<p class="where">${days(values.start_date ?? status.first_day, values.end_date ?? status.last_day)} · ${shown(String(status.signals))} signals · <code>${String(status.dataset ?? '').slice(0, 7)}</code></p>
      <p class="who">${status.role}</p>`}
  </header>`;
}

function Page() {
  const at = usePlace();
  const phase = useShared((state) => state.phase);
  const away = useShared((state) => state.away);
  const problem = useShared((state) => state.problem);
  const known = useShared((state) => state.parameters.length > 0);
  const View = VIEWS.find(([name]) => name === at.name)[2];
  useEffect(() => {
    document.title = `${VIEWS.find(([name]) => name === at.name)[1]} · hindsight`;
    change({ describing: null });
  }, [at.name]);
  if (phase === 'token' && !known) return html`<${AskForLink} />`;
  if (phase === 'starting') return html`<main class="single">${problem || away ? html`<${Trouble} problem=${problem ?? { message: 'The server does not answer.' }} />` : html`<${Empty}>Opening…<//>`}</main>`;
  return html`
    <${Header} at=${at} />
    ${away && html`<p class="away" role="status">The server does not answer. What you see is its last answer, and what you set stays; the page goes on when it is back.</p>`}
    <${View} key=${at.name} rest=${at.rest} />
    ${phase === 'token' && html`<div class="cover"><${AskForLink} /></div>`}`;
}

// A link with a new token, opened in a tab that is open already.
addEventListener('hashchange', () => {
  if (/[#&]token=/.test(location.hash)) withToken(takeToken() ?? '').catch(() => {});
});

takeToken();
const root = document.getElementById('page');
root.textContent = '';
render(html`<${Page} />`, root);
start();
