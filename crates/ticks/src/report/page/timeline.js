// The timeline: drawn anew as it is zoomed, moved and searched.

const TRACK_HEIGHT_MIN = LANE_PX + TRACK_GAP_PX;

// Closer is no use: records have nanoseconds.
const SPAN_NS_MIN = 200;

// So many causes and effects of a bar are named.
const NAMED = 12;

class Timeline {
  constructor(picture) {
    const { heading, content } = section('timeline');
    this.picture = picture;
    this.lanes = new Lanes(picture);
    heading.append(make('span', { class: 'count', text: ` ${things(picture.tracks.length, 'track')}` }));
    if (this.lanes.total === 0) {
      content.append(make('p', { class: 'empty', text: 'There are no records to draw.' }));
      return;
    }
    this.span = Math.max(picture.span_ns, SPAN_NS_MIN);
    [this.from, this.to] = [0, this.span];
    this.selected = null;
    this.found = new Set();
    this.matches = [];
    this.match = -1;
    this.painter = new Painter(this);
    this.build(content);
    this.layout();
    this.recolour();
    new ResizeObserver(() => this.draw()).observe(this.view);
  }

  build(content) {
    this.search = make('input', {
      type: 'search', 'aria-label': 'Search the timeline', placeholder: 'Search: a task, a function, fd 9',
      oninput: afterwards(() => this.find()), onkeydown: event => {
        if (event.key === 'Enter') this.goTo(event.shiftKey ? -1 : 1);
      },
    });
    this.hits = make('span', { class: 'faint hits', role: 'status' });
    this.only = make('input', { type: 'checkbox', onchange: () => { this.layout(); this.draw(); } });
    this.status = make('span', { class: 'faint shown', role: 'status' });
    const button = (text, label, work) => make('button', { type: 'button', text, 'aria-label': label, title: label, onclick: work });
    this.canvas = make('canvas', { 'aria-hidden': 'true' });
    this.height = make('div', { class: 'height' });
    this.view = make('div', {
      class: 'picture', tabindex: '0', role: 'application', 'aria-roledescription': 'timeline', 'aria-describedby': 'timeline-hint',
      'aria-label': `Timeline of ${things(this.lanes.total, 'bar')} on ${things(this.lanes.tracks.length, 'track')}`,
      onkeydown: event => this.key(event), onscroll: () => this.draw(),
    }, this.height, this.canvas);
    this.tip = make('div', { class: 'tip', hidden: true });
    this.details = make('div', { class: 'details', hidden: true, role: 'region', 'aria-live': 'polite', 'aria-label': 'The chosen bar' });
    const legend = [
      ['runs', 'polled'], ['scheduled', 'woken, not polled yet'], ['waits', 'waits'], ['forgotten', 'nothing can wake it'],
      ['sleeps', 'thread sleeps'], ['round', 'round, block_on'], ['wakes', 'wake, timer, spawn'], ['several', 'drawn together'],
    ].map(([kind, text]) => make('span', {}, make('i', { style: `background: var(--bar-${kind})` }), text));
    const hint = make('p', { class: 'faint hint', id: 'timeline-hint' });
    const keys = ['Drag to zoom; Shift and drag to move; Ctrl and wheel to zoom. Keys: ', ['+', '−'], ' zoom, ', ['←', '→'], ' move, ', ['0'],
      ' all, ', ['N', 'P'], ' next and previous bar, ', ['Enter'], ' zoom to it, ', ['/'], ' search.'];
    for (const part of keys) hint.append(...(Array.isArray(part) ? part.map(key => make('kbd', { text: key })) : [part]));
    content.append(
      make('div', { class: 'tools' }, this.search, button('↑', 'Previous match', () => this.goTo(-1)), button('↓', 'Next match', () => this.goTo(1)),
        this.hits, make('label', {}, this.only, ' only tracks with matches'),
        button('+', 'Zoom in', () => this.zoom(0.5)), button('−', 'Zoom out', () => this.zoom(2)),
        button('←', 'Earlier', () => this.move(-0.25)), button('→', 'Later', () => this.move(0.25)), button('All', 'Show all', () => this.set(0, this.span)),
        this.status),
      this.view, make('div', { class: 'legend' }, ...legend), hint, this.details, this.tip,
      ...this.picture.left_out.map(text => make('p', { class: 'note', text })));
    this.listen();
  }

  // What is shown.

  // Shows from one time to another, within the picture.
  set(from, to) {
    const length = Math.min(Math.max(to - from, SPAN_NS_MIN), this.span);
    this.from = Math.min(Math.max(from, 0), this.span - length);
    this.to = this.from + length;
    this.draw();
  }

  zoom(factor, around = (this.from + this.to) / 2) {
    this.set(around - (around - this.from) * factor, around + (this.to - around) * factor);
  }

  move(part) {
    const step = (this.to - this.from) * part;
    this.set(this.from + step, this.to + step);
  }

  // Where each track is.
  layout() {
    const shows = new Set([...this.found].map(number => this.lanes.bar(number).track));
    this.rows = [];
    let y = AXIS_PX;
    this.lanes.tracks.forEach((track, at) => {
      if (this.only.checked && this.found.size > 0 && !shows.has(at)) return;
      const height = Math.max(TRACK_HEIGHT_MIN, track.lanes.length * LANE_PX + TRACK_GAP_PX);
      this.rows.push({ track: at, y, height });
      y += height;
    });
    this.bottom = y;
    this.height.style.height = `${y}px`;
  }

  recolour() {
    if (!this.view) return;
    this.painter.recolour(this.tip);
    this.draw();
  }

  get gutter() {
    return Math.min(280, Math.max(110, this.view.clientWidth * 0.22));
  }

  // How wide the picture is without the names, and without an edge for what happens at the very end.
  get room() {
    return Math.max(50, this.view.clientWidth - this.gutter - 10);
  }

  x(ns) {
    return this.gutter + (ns - this.from) / (this.to - this.from) * this.room;
  }

  ns(x) {
    return this.from + (x - this.gutter) / this.room * (this.to - this.from);
  }

  draw() {
    this.painter.paint();
    const from = clock(this.picture.begin_utc_us, this.from);
    this.status.textContent = `${duration(this.to - this.from)} of ${duration(this.span)}, from ${from} UTC`;
  }

  // Pointer and keys.

  listen() {
    const at = event => {
      const box = this.canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    this.canvas.addEventListener('wheel', event => {
      const sideways = Math.abs(event.deltaX) > Math.abs(event.deltaY);
      if (event.ctrlKey || event.metaKey) this.zoom(Math.exp(Math.sign(event.deltaY) * 0.25), this.ns(at(event)[0]));
      else if (sideways || event.shiftKey) this.move(Math.sign(sideways ? event.deltaX : event.deltaY) * 0.1);
      else return;
      event.preventDefault();
    }, { passive: false });
    this.canvas.addEventListener('pointerdown', event => {
      if (event.button !== 0) return;
      const [x, y] = at(event);
      this.drag = { x, y, to: x, zooms: false, moves: event.shiftKey || event.pointerType === 'touch', from: this.from };
      this.canvas.setPointerCapture(event.pointerId);
      this.view.focus({ preventScroll: true });
    });
    this.canvas.addEventListener('pointermove', event => {
      const [x, y] = at(event);
      this.point(x, y, event);
      if (!this.drag) return;
      this.drag.to = x;
      if (Math.abs(x - this.drag.x) > 4) this.drag.zooms = !this.drag.moves;
      if (this.drag.moves) {
        const length = this.to - this.from;
        const from = this.drag.from - (x - this.drag.x) / this.room * length;
        this.set(from, from + length);
      } else this.draw();
    });
    this.canvas.addEventListener('pointerup', event => {
      const { drag } = this;
      this.drag = null;
      if (!drag) return;
      const [x, y] = at(event);
      if (drag.zooms) this.set(this.ns(Math.min(x, drag.x)), this.ns(Math.max(x, drag.x)));
      else if (Math.abs(x - drag.x) <= 4) this.select(this.hit(x, y)?.number ?? null);
    });
    this.canvas.addEventListener('pointercancel', () => { this.drag = null; this.draw(); });
    this.canvas.addEventListener('pointerleave', () => { this.tip.hidden = true; });
    this.canvas.addEventListener('dblclick', () => this.zoomToSelected());
    addEventListener('keydown', event => {
      const types = event.target.closest?.('input, select, textarea');
      if (event.key !== '/' || types || event.ctrlKey || event.metaKey || event.altKey) return;
      this.search.focus();
      event.preventDefault();
    });
  }

  // The bar at this point of the canvas.
  hit(x, y) {
    const row = this.rowAt(y);
    if (!row || x < this.gutter) return null;
    const depth = Math.floor((y + this.view.scrollTop - row.y - TRACK_GAP_PX / 2) / LANE_PX);
    const lane = this.lanes.tracks[row.track].lanes[depth];
    if (!lane) return null;
    // A short one may be missed by two points.
    const near = this.ns(x + 2) - this.ns(x);
    const index = this.lanes.firstAfter(lane, this.ns(x) - near);
    if (index * BAR_NUMBERS >= lane.length) return null;
    const bar = this.lanes.at(row.track, depth, index);
    return bar.begin <= this.ns(x) + near ? bar : null;
  }

  rowAt(y) {
    const inside = y + this.view.scrollTop;
    return y < AXIS_PX ? null : this.rows.find(row => inside >= row.y && inside < row.y + row.height);
  }

  point(x, y, event) {
    const bar = this.hit(x, y);
    const row = x < this.gutter && this.rowAt(y);
    const text = bar ? `${bar.name} · ${duration(bar.length)}` : row ? this.lanes.tracks[row.track].name : '';
    this.tip.hidden = text === '' || Boolean(this.drag?.zooms);
    this.tip.textContent = text;
    this.tip.style.left = `${Math.min(event.clientX + 14, innerWidth - 320)}px`;
    this.tip.style.top = `${event.clientY + 18}px`;
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const keys = {
      '+': () => this.zoom(0.5), '=': () => this.zoom(0.5), '-': () => this.zoom(2), _: () => this.zoom(2),
      ArrowLeft: () => this.move(-0.2), ArrowRight: () => this.move(0.2), 0: () => this.set(0, this.span), Home: () => this.set(0, this.span),
      n: () => this.step(1), p: () => this.step(-1), Enter: () => this.zoomToSelected(), Escape: () => this.select(null),
    };
    const work = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!work) return;
    work();
    event.preventDefault();
  }

  // The chosen bar.

  // Chooses the next or the previous bar of the chosen one's lane; without one, the first that is seen.
  step(by) {
    if (this.selected === null) {
      const row = this.rows.find(row => row.y + row.height > this.view.scrollTop + AXIS_PX);
      if (row) this.reveal(this.lanes.at(row.track, 0, 0).number);
      return;
    }
    const { track, depth, index } = this.lanes.bar(this.selected);
    const last = this.lanes.tracks[track].lanes[depth].length / BAR_NUMBERS - 1;
    this.reveal(this.lanes.at(track, depth, Math.max(0, Math.min(last, index + by))).number);
  }

  select(number) {
    this.selected = number;
    this.details.hidden = number === null;
    if (number !== null) this.tell(this.lanes.bar(number));
    this.draw();
  }

  tell(bar) {
    const list = make('dl');
    const say = (name, ...parts) => list.append(make('dt', { text: name }), make('dd', {}, ...parts));
    say('what', make('strong', { text: bar.name }));
    say('track', this.lanes.tracks[bar.track].name);
    say('begins', `${clock(this.picture.begin_utc_us, bar.begin)} UTC, +${duration(bar.begin)}`);
    say('takes', duration(bar.length));
    for (const [name, others] of [['caused by', this.lanes.causes], ['causes', this.lanes.effects]]) {
      const numbers = others.get(bar.number) ?? [];
      if (numbers.length === 0) continue;
      const links = numbers.slice(0, NAMED).flatMap(number => {
        const other = this.lanes.bar(number);
        const text = `${other.name} (${this.lanes.tracks[other.track].name})`;
        return [make('button', { type: 'button', class: 'plain', text, onclick: () => this.reveal(number) }), make('br')];
      });
      if (numbers.length > NAMED) links.push(`and ${count(numbers.length - NAMED)} more`);
      say(name, ...links);
    }
    this.details.replaceChildren(list);
  }

  // Chooses a bar, and moves the picture to where it is.
  reveal(number) {
    const bar = this.lanes.bar(number);
    const length = this.to - this.from;
    if (bar.begin > this.to || bar.end < this.from) this.set(bar.begin - length / 2, bar.begin + length / 2);
    const row = this.rows.find(row => row.track === bar.track);
    if (row) {
      const [top, room] = [this.view.scrollTop + AXIS_PX, this.view.clientHeight];
      if (row.y < top || row.y + row.height > top + room - AXIS_PX) this.view.scrollTop = row.y - room / 2;
    }
    this.select(number);
  }

  zoomToSelected() {
    if (this.selected === null) return;
    const bar = this.lanes.bar(this.selected);
    const around = Math.max(bar.length * 0.15, 500);
    this.set(bar.begin - around, bar.end + around);
  }

  // Searching.

  find() {
    const words = wordsOf(this.search.value);
    this.matches = words.length === 0 ? [] : this.lanes.search(words);
    // Bars of a lane are in the order of time, and so are those of all lanes then.
    const begins = new Map(this.matches.map(number => [number, this.lanes.bar(number).begin]));
    this.matches.sort((one, other) => begins.get(one) - begins.get(other));
    this.found = new Set(this.matches);
    this.match = -1;
    this.hits.textContent = words.length === 0 ? '' : this.matches.length === 0 ? 'found nowhere' : things(this.matches.length, 'bar');
    this.layout();
    this.draw();
  }

  goTo(by) {
    const total = this.matches.length;
    if (total === 0) return;
    this.match = this.match < 0 && by < 0 ? total - 1 : (this.match + by + total) % total;
    this.hits.textContent = `${count(this.match + 1)} of ${things(total, 'bar')}`;
    this.reveal(this.matches[this.match]);
  }
}
