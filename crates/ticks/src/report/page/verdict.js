// What hangs, in words.

// The text, in which `task 17` leads to that task's row.
function linked(text, tasks, ids) {
  const parts = [];
  let from = 0;
  for (const match of text.matchAll(/\btask (\d+)\b/g)) {
    const id = Number(match[1]);
    if (!ids.has(id)) continue;
    parts.push(text.slice(from, match.index), taskLink(tasks, id, undefined, match[0]));
    from = match.index + match[0].length;
  }
  return [...parts, text.slice(from)];
}

// The surest are first. So many are shown at once.
const FINDINGS_SHOWN = 30;

function showVerdict(tasks) {
  const { content } = section('verdict');
  const { findings, looked_for: lookedFor, cannot_tell: cannotTell, not_looked_at: notLookedAt } = page.verdict;
  const ids = new Set(page.tables.tasks.rows.map(row => row.id));
  const sentence = text => linked(text, tasks, ids);
  const article = finding => make('article', { class: `finding ${finding.sure}` },
    make('p', { class: 'what' }, make('span', { class: 'sure', text: finding.sure }), ` · ${finding.kind.replaceAll('_', ' ')}`),
    make('h3', {}, ...sentence(finding.sentence)),
    finding.evidence.length > 0 && make('ul', {}, ...finding.evidence.map(text => make('li', {}, ...sentence(text)))),
    ...finding.proof.map(text => make('code', { class: 'command', text })),
    ...finding.advice.map(text => make('p', { class: 'advice', text: `→ ${text}` })));
  content.append(...findings.slice(0, FINDINGS_SHOWN).map(article));
  const rest = findings.slice(FINDINGS_SHOWN);
  if (rest.length > 0) {
    const text = `Show ${things(rest.length, 'more finding')}`;
    const more = make('button', { type: 'button', text, onclick: () => more.replaceWith(...rest.map(article)) });
    content.append(more);
  }
  if (findings.length === 0) {
    content.append(make('article', { class: 'finding well' },
      make('p', { class: 'what' }, make('span', { class: 'sure', text: 'well' })),
      make('h3', { text: 'nothing wrong found' })));
  } else {
    content.append(make('p', { class: 'faint hint' },
      'proven: the records leave no other explanation; likely: it is so, unless somebody means it; possible: it may be so, and may be meant.'));
  }
  const list = (title, texts) => texts.length > 0 && make('details', {},
    make('summary', { text: `${title} (${texts.length})` }), make('ul', {}, ...texts.map(text => make('li', { text }))));
  content.append(...[
    list('What was looked for', lookedFor),
    list('What cannot be told', cannotTell.map(unclear => `${unclear.looks_for}: ${unclear.why}`)),
    list('What was not looked at', notLookedAt),
  ].filter(Boolean));
}
