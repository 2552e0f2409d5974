// Puts the page together.

function showHead() {
  const { processes } = page.tables;
  const names = processes.map(process => process.name);
  const shown = names.slice(0, 4).join(', ') + (names.length > 4 ? ` and ${names.length - 4} more` : '');
  const title = shown || 'nothing recorded';
  document.title = `${title}: ticks report`;
  document.getElementById('title').textContent = title;
  const parts = [
    ...processes.slice(0, 4).map(process => process.head),
    `${page.made_by}, ${page.made}${page.redacted ? '; addresses, users and hosts are hidden' : ''}`,
  ];
  document.getElementById('subtitle').append(...parts.flatMap((part, at) => (at > 0 ? [make('br'), part] : [part])));
}

// A column of the process, if there are several.
function ofProcess() {
  return page.tables.processes.length > 1 ? [{ name: 'Process', of: processName, width: '9rem' }] : [];
}

const time = (ns, row) => `${row.least ? '≥ ' : ''}${duration(ns)}`;
const ago = (ns, row) => `${time(ns, row)} ago`;
const yes = value => (value ? 'yes' : 'no');

function table(id, thing, none, columns, details) {
  const { rows, left_out: leftOut } = page.tables[id];
  return new Table({ section: id, thing, none, columns: [...ofProcess(), ...columns], rows, leftOut, details });
}

function showTasks() {
  return table('tasks', 'task', 'No task is recorded.', [
    { name: 'Task', of: row => row.id, number: true, width: '5rem' },
    { name: 'Name', of: row => row.name, width: '17%' },
    { name: 'State', of: row => row.state, state: true, short: true, width: '7rem' },
    { name: 'Since', of: row => row.since_ns, show: time, number: true, width: '7rem' },
    { name: 'For', of: row => row.for, width: '24%' },
    { name: 'In', of: row => row.in, mono: true, width: '30%' },
    { name: 'Polls', of: row => row.polls, show: count, number: true, width: '5rem' },
    { name: 'Longest poll', of: row => row.longest_ns, show: duration, number: true, width: '7.5rem' },
    { name: 'Wakes', of: row => row.wakes, show: count, number: true, width: '5rem' },
  ], row => [
    row.parent && make('p', { class: 'faint', text: `begun by task ${row.parent}; polled for ${duration(row.polled_ns)} in all` }),
    ...waitsOf(row),
  ].filter(Boolean));
}

const byCalls = row => (row.stack === null ? [] : [make('p', { class: 'wait', text: 'waited for in' }), callsOf(row.stack)]);

function showWaits() {
  const { rows } = page.tables.waits;
  const has = name => rows.some(row => row[name] !== null);
  table('waits', 'wait', 'Nobody waits for a source.', [
    { name: 'Fd', of: row => row.fd, number: true, width: '4rem' },
    { name: 'Kind', of: row => row.kind, short: true, width: '7rem' },
    { name: 'Address', of: row => row.address, width: '24%' },
    { name: 'Dir', of: row => row.dir, short: true, width: '4rem' },
    { name: 'Since', of: row => row.since_ns, show: time, number: true, width: '7rem' },
    ...(has('round') ? [{ name: 'Since round', of: row => row.round, number: true, width: '7rem' }] : []),
    ...(rows.some(row => row.is_woken) ? [{
      name: 'Woken', of: row => (row.is_woken ? row.woken_ns ?? 'yes' : null), number: true, width: '7rem',
      show: (ns, row) => (ns === 'yes' ? ns : ago(ns, row)),
    }] : []),
    { name: 'Events', of: row => row.events, show: (value, row) => `${row.events_least ? '≥ ' : ''}${count(value)}`, number: true, width: '5rem' },
    { name: 'Last event', of: row => row.last_event_ns, show: ago, number: true, width: '8rem' },
    ...(has('socket') ? [{ name: 'Socket', of: row => row.socket, width: '14%' }] : []),
    { name: 'Task', of: row => row.task ?? row.waker, number: true, width: '7rem' },
    { name: 'In', of: row => row.in, mono: true, width: '28%' },
  ], byCalls);
}

function showTimers() {
  table('timers', 'timer', 'Nobody waits for a timer.', [
    { name: 'Timer', of: row => row.timer, number: true, width: '5rem' },
    {
      name: 'Due', of: row => row.due_ns, number: true, width: '10rem',
      show: ns => (ns < 0 ? `overdue by ${duration(-ns)}` : `in ${duration(ns)}`),
    },
    { name: 'Waited for', of: row => row.since_ns, show: time, number: true, width: '8rem' },
    { name: 'Task', of: row => row.task ?? row.waker, number: true, width: '7rem' },
    { name: 'In', of: row => row.in, mono: true, width: '50%' },
  ], byCalls);
  const { content } = section('timers');
  for (const process of page.tables.processes.filter(process => process.has_records)) {
    const { inserted, removed, fired, late } = process.timers;
    const lateness = late.count > 0 ? `, late by ${duration(late.p50_ns)} (half of them), ${duration(late.p99_ns)} (99 %), ${duration(late.max_ns)} at most` : '';
    const of = page.tables.processes.length > 1 ? `${process.name}: ` : '';
    const text = `${of}in the records ${things(inserted, 'timer')} set, ${count(removed)} taken back, ${count(fired)} fired${lateness}.`;
    content.append(make('p', { class: 'faint', text }));
  }
}

function showSources() {
  const { rows } = page.tables.sources;
  const hasUnasked = rows.some(row => row.unasked_ns !== null);
  table('sources', 'source', 'There is no source.', [
    { name: 'Fd', of: row => row.fd, number: true, width: '4rem' },
    { name: 'Kind', of: row => row.kind, short: true, width: '7rem' },
    { name: 'Local', of: row => row.local, width: '20%' },
    { name: 'Peer', of: row => row.peer, width: '20%' },
    { name: 'There', of: row => row.registered, show: yes, short: true, width: '4rem' },
    { name: 'Waits', of: row => row.waits, show: count, number: true, width: '5rem' },
    { name: 'Events', of: row => row.events, show: count, number: true, width: '5rem' },
    { name: 'Wakes', of: row => row.wakes, show: count, number: true, width: '5rem' },
    { name: 'Spurious', of: row => row.spurious, show: count, number: true, width: '6rem' },
    { name: 'Polls', of: row => row.polls, show: count, number: true, width: '5rem' },
    { name: 'Wait, half', of: row => row.wait_p50_ns, show: duration, number: true, width: '7rem' },
    { name: 'Wait, most', of: row => row.wait_max_ns, show: duration, number: true, width: '7rem' },
    ...(hasUnasked ? [{ name: 'Unasked', of: row => row.unasked_ns, show: duration, number: true, width: '6rem' }] : []),
  ]);
}

function showThreads() {
  table('threads', 'thread', 'No thread has made a record.', [
    { name: 'Thread', of: row => row.thread, number: true, width: '6rem' },
    { name: 'Name', of: row => row.name, width: '40%' },
    { name: 'Records', of: row => row.records, show: count, number: true, width: '7rem' },
    { name: 'Rounds', of: row => row.rounds, show: count, number: true, width: '6rem' },
    { name: 'Events', of: row => row.events, show: count, number: true, width: '6rem' },
    { name: 'Wakes', of: row => row.wakes, show: count, number: true, width: '6rem' },
    { name: 'Parks', of: row => row.parks, show: count, number: true, width: '6rem' },
    { name: 'Last record', of: row => row.last_ns, show: ns => `${duration(ns)} ago`, number: true, width: '8rem' },
  ]);
}

function showAbout() {
  const { content } = section('about');
  content.classList.add('about');
  for (const process of page.tables.processes) {
    const list = make('dl');
    for (const [name, text] of process.about) list.append(make('dt', { text: name }), make('dd', { text }));
    content.append(make('h3', { text: process.name }), list, ...process.notes.map(text => make('p', { class: 'note', text })));
  }
  content.append(...page.notes.map(text => make('p', { class: 'note', text })));
  content.append(make('p', { class: 'faint', text: 'Times are of the moment that the head of the page says. ≥: at least, since nobody knows until when.' }));
}

function showTheme(timeline) {
  const choice = document.getElementById('theme');
  const set = theme => {
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
    timeline.recolour();
  };
  choice.addEventListener('change', () => set(choice.value));
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => timeline.recolour());
  // Paper is white.
  addEventListener('beforeprint', () => set('light'));
  addEventListener('afterprint', () => set(choice.value));
}

showHead();
const tasks = showTasks();
showVerdict(tasks);
showStacks(tasks);
showWaits();
showTimers();
showSources();
showThreads();
showAbout();
showTheme(new Timeline(page.picture));
