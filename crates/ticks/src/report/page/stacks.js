// By which calls tasks wait: calls of runtimes and combinators are folded, equal tasks are told once.

// So many groups are made at a time.
const GROUPS_STEP = 60;

// The calls of a stack, the innermost first, as a list. Those that only pass polls on are behind a button.
function callsOf(number) {
  if (number === null) return make('p', { class: 'empty', text: 'by calls that are not recorded' });
  const calls = page.calls.stacks[number].map(at => page.calls.calls[at]);
  const list = make('ol', { class: 'calls' });
  let folded = [];
  let isFirst = true;
  const close = () => {
    if (folded.length === 0) return;
    const rest = folded;
    folded = [];
    const unfold = make('button', {
      type: 'button', class: 'plain', 'aria-expanded': 'false',
      text: `… ${things(rest.length, 'call')} of runtimes and combinators`,
    });
    const item = make('li', { class: 'hidden-calls' }, unfold);
    unfold.addEventListener('click', () => item.replaceWith(...rest.map(call => callOf(call, 'passes'))));
    list.append(item);
  };
  for (const call of calls) {
    if (call[2] === 1) {
      folded.push(call);
      continue;
    }
    close();
    list.append(callOf(call, isFirst ? 'own' : ''));
    isFirst = false;
  }
  close();
  return list;
}

function callOf([name, line], kind) {
  return make('li', { class: kind || null }, make('span', { class: 'function', text: name }), make('span', { class: 'line', text: line }));
}

// What is waited for, and where it was spawned, each with its calls.
function waitsOf({ waits, more, unknown, spawned }) {
  const parts = [];
  for (const [what, stack] of waits) {
    parts.push(make('p', { class: 'wait' }, 'waits for ', make('strong', { text: what })), callsOf(stack));
  }
  if (more !== null) parts.push(make('p', { class: 'wait', text: more }));
  if (unknown !== null) parts.push(make('p', { class: 'wait' }, waits.length === 0 && 'waits for ', make('strong', { text: unknown })));
  if (spawned !== null) parts.push(make('p', { class: 'wait', text: 'spawned in' }), callsOf(spawned));
  return parts;
}

// All groups, so many at a time; `tasks` is the table that shows one task.
function showStacks(tasks) {
  const { heading, content } = section('stacks');
  const { groups, groups_left_out: leftOut, processes } = page.tables;
  if (groups.length === 0) {
    const text = 'No task is recorded. Tasks are recorded of a program that is patched with async-executor, of block_on, '
      + 'and where async_io::trace::task names one.';
    content.append(make('p', { class: 'empty', text }));
    return;
  }
  heading.append(make('span', { class: 'count', text: ` ${things(groups.length + leftOut, 'group')}` }));
  const notes = processes.flatMap(process => process.symbol_notes);
  content.append(...notes.map(text => make('p', { class: 'note', text })));
  const list = make('div');
  const status = make('span', { class: 'faint', role: 'status' });
  const more = make('button', { type: 'button', text: 'Show more' });
  const search = make('input', { type: 'search', 'aria-label': 'Search stacks', placeholder: 'Search stacks: a function, a file, a lock' });
  let found = groups;
  let made = 0;
  const add = () => {
    const next = found.slice(made, made + GROUPS_STEP);
    // A few are read at once. Of many, one looks for the one that matters.
    list.append(...next.map((group, at) => groupOf(group, tasks, made + at < 6, processes.length > 1)));
    made += next.length;
    more.hidden = made >= found.length;
    more.textContent = `Show more of ${things(found.length, 'group')}`;
  };
  const texts = groups.map(group => textOf(group));
  const look = () => {
    const words = wordsOf(search.value);
    found = groups.filter((_, at) => hasWords(texts[at], words));
    status.textContent = words.length === 0 ? '' : `${count(found.length)} of ${things(groups.length, 'group')}`;
    list.replaceChildren();
    made = 0;
    add();
  };
  const all = open => () => list.querySelectorAll('details').forEach(group => { group.open = open; });
  search.addEventListener('input', afterwards(look));
  more.addEventListener('click', add);
  content.append(make('div', { class: 'tools' }, search, status,
    make('button', { type: 'button', text: 'Open all', onclick: all(true) }),
    make('button', { type: 'button', text: 'Close all', onclick: all(false) })), list, more);
  if (leftOut > 0) content.append(make('p', { class: 'note', text: `${things(leftOut, 'group')} more are not in this page.` }));
  addEventListener('beforeprint', all(true));
  look();
}

// All that a search may find.
function textOf(group) {
  const stacks = [...group.waits.map(([, stack]) => stack), group.spawned].filter(stack => stack !== null);
  const calls = stacks.flatMap(stack => page.calls.stacks[stack]).map(at => page.calls.calls[at].slice(0, 2).join(' '));
  return [group.heading, ...group.waits.map(([what]) => what), ...calls].join('\n').toLowerCase();
}

function groupOf(group, tasks, open, several) {
  const title = [
    make('span', { class: `state ${group.state}`, text: group.state }),
    several && ` ${processName(group)}:`,
    ` ${group.heading}`,
  ];
  const details = make('details', { class: 'group', open }, make('summary', {}, ...title));
  // What is folded costs nothing.
  const fill = () => {
    if (details.childElementCount > 1 || !details.open) return;
    const links = group.tasks.flatMap(id => [taskLink(tasks, id, group.process), ' ']);
    const more = group.count - group.tasks.length;
    details.append(...waitsOf(group), make('p', { class: 'faint' }, 'tasks: ', ...links, more > 0 && `and ${count(more)} more`));
  };
  details.addEventListener('toggle', fill);
  fill();
  return details;
}

// A button that shows the task in the table.
function taskLink(tasks, id, process, text = String(id)) {
  return make('button', {
    type: 'button', class: 'plain', text,
    onclick: () => tasks.show(row => row.id === id && (process === undefined || row.process === process)),
  });
}
