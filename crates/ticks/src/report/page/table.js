// A table that sorts and filters. A long one has only those rows in the page that are seen.

// More rows than this have one height each and are in the page only while they are seen.
const ROWS_ALL = 150;

// How high a row of a long table is: 2rem in the style, and its line.
const ROW_PX = 32;

// Rows beyond what is seen, above and below.
const ROWS_SPARE = 8;

// So many rows of a long table are printed.
const ROWS_PRINTED = 500;

class Table {
  // `columns`: `{ name, of: row => value, show: (value, row) => text, number, mono, short, width }`.
  // `none` says that there are no rows; `details` makes the elements that tell all of a row.
  constructor({ section: id, thing, none, columns, rows, leftOut, details }) {
    // A column that says nothing takes no room.
    const says = column => rows.some(row => this.text(column, row) !== '');
    Object.assign(this, { columns: columns.filter(says), rows, details, thing });
    this.sorted = null;
    this.order = rows.map((_, index) => index);
    this.current = -1;
    this.isLong = rows.length > ROWS_ALL;
    const { heading, content } = section(id);
    heading.append(make('span', { class: 'count', text: ` ${count(rows.length + leftOut)}` }));
    if (rows.length === 0) {
      content.append(make('p', { class: 'empty', text: none }));
      return;
    }
    this.build(id, heading, content);
    if (leftOut > 0) {
      const text = `${things(leftOut, thing)} more are not in this table, which has room for ${count(rows.length)}.`;
      content.prepend(make('p', { class: 'note', text }));
    }
    this.filter();
  }

  build(id, heading, content) {
    this.search = make('input', {
      type: 'search', 'aria-label': `Filter ${this.thing}s`, placeholder: `Filter ${this.thing}s`,
      oninput: afterwards(() => this.filter()),
    });
    this.status = make('span', { class: 'faint', role: 'status' });
    this.body = make('tbody');
    this.heads = this.columns.map((column, index) => make('th', {
      scope: 'col', class: column.number ? 'number' : null,
      // Of a short table the browser finds the widths, but for texts, which would be cut into words.
      style: this.isLong ? `width:${column.width}` : column.width?.endsWith('%') ? 'min-width:11rem' : null,
    }, make('button', { type: 'button', text: column.name, onclick: () => this.sort(index) })));
    this.table = make('table', {
      role: 'grid', class: this.isLong ? 'virtual' : null, 'aria-labelledby': heading.id, tabindex: '0',
      'aria-description': 'Arrows choose a row, Enter shows all of it', onkeydown: event => this.key(event),
    }, make('thead', {}, make('tr', {}, ...this.heads)), this.body);
    this.scroll = make('div', { class: 'scroll', onscroll: () => this.draw() }, this.table);
    this.shown = make('div', { class: 'details', hidden: true, role: 'region', 'aria-live': 'polite', 'aria-label': `The chosen ${this.thing}` });
    this.body.addEventListener('click', event => {
      const row = event.target.closest('tr[data-row]');
      if (row && !getSelection().toString()) this.choose(Number(row.dataset.place), true);
    });
    this.prefix = id;
    content.append(make('div', { class: 'tools' }, this.search, this.status), this.scroll, this.shown);
    addEventListener('beforeprint', () => this.print(true));
    addEventListener('afterprint', () => this.print(false));
    addEventListener('resize', () => this.draw());
  }

  text(column, row) {
    const value = column.of(row);
    if (value === null || value === undefined || value === '') return '';
    return column.show ? column.show(value, row) : String(value);
  }

  // All of a row that may be found, in small letters.
  textOf(index) {
    this.texts ??= [];
    this.texts[index] ??= this.columns.map(column => this.text(column, this.rows[index])).join('\n').toLowerCase();
    return this.texts[index];
  }

  // Keeps the rows that have all the words.
  filter() {
    const words = wordsOf(this.search.value);
    const all = this.rows.map((_, index) => index);
    this.order = words.length === 0 ? all : all.filter(index => hasWords(this.textOf(index), words));
    const total = this.rows.length;
    const found = this.order.length;
    this.status.textContent = found === total ? things(total, this.thing) : `${count(found)} of ${things(total, this.thing)}`;
    this.arrange();
  }

  sort(index) {
    // Of numbers, the greatest are looked for.
    const down = this.sorted?.index === index ? !this.sorted.down : Boolean(this.columns[index].number);
    this.sorted = { index, down };
    this.heads.forEach((head, at) => {
      if (at === index) head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
      else head.removeAttribute('aria-sort');
    });
    this.arrange();
  }

  // Puts the kept rows in order. Rows that have nothing in the column are last both ways.
  arrange() {
    if (this.sorted) {
      const { index, down } = this.sorted;
      const { of } = this.columns[index];
      const is = value => value !== null && value !== undefined && value !== '';
      this.order.sort((one, other) => {
        const [a, b] = [of(this.rows[one]), of(this.rows[other])];
        if (!is(a) || !is(b)) return is(b) - is(a) || one - other;
        const order = typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b), 'en', { numeric: true });
        return (down ? -order : order) || one - other;
      });
    }
    this.current = -1;
    this.scroll.scrollTop = 0;
    this.draw(true);
  }

  // Makes the rows that are seen.
  draw(anew = false) {
    const total = this.order.length;
    let [from, to] = [0, total];
    if (this.isLong && !this.prints) {
      const seen = Math.ceil((this.scroll.clientHeight || 600) / ROW_PX);
      from = Math.max(0, Math.min(Math.floor(this.scroll.scrollTop / ROW_PX) - ROWS_SPARE, total - seen));
      to = Math.min(total, from + seen + 2 * ROWS_SPARE);
    } else if (this.isLong) {
      to = Math.min(total, ROWS_PRINTED);
    }
    if (!anew && this.from === from && this.to === to) return;
    [this.from, this.to] = [from, to];
    const space = rows => make('tr', { class: 'space', 'aria-hidden': 'true' },
      make('td', { colspan: this.columns.length, style: `height:${rows * ROW_PX}px` }));
    const rows = [];
    if (from > 0) rows.push(space(from));
    for (let place = from; place < to; place++) rows.push(this.row(place));
    if (to < total && !this.prints) rows.push(space(total - to));
    this.body.replaceChildren(...rows);
    this.table.setAttribute('aria-rowcount', total + 1);
  }

  row(place) {
    const index = this.order[place];
    const cells = this.columns.map(column => {
      const text = this.text(column, this.rows[index]);
      const names = [column.number && 'number', column.mono && 'mono', column.short && 'short'].filter(Boolean);
      const cell = make('td', { class: names.join(' ') || null, title: this.isLong && text.length > 20 ? text : null });
      if (column.state && text) cell.append(make('span', { class: `state ${text}`, text }));
      else cell.textContent = text;
      return cell;
    });
    return make('tr', {
      id: `${this.prefix}-${index}`, 'data-row': index, 'data-place': place, 'aria-rowindex': place + 2,
      'aria-selected': place === this.current ? 'true' : 'false',
    }, ...cells);
  }

  // Makes a row the chosen one, and with `tells` shows all of it.
  choose(place, tells) {
    this.current = Math.max(0, Math.min(place, this.order.length - 1));
    if (this.order.length === 0) return;
    if (this.isLong) {
      const top = this.current * ROW_PX;
      const room = this.scroll.clientHeight - 2 * ROW_PX;
      if (top < this.scroll.scrollTop) this.scroll.scrollTop = top;
      else if (top > this.scroll.scrollTop + room) this.scroll.scrollTop = top - room;
    }
    this.draw(true);
    const index = this.order[this.current];
    this.table.setAttribute('aria-activedescendant', `${this.prefix}-${index}`);
    if (!this.isLong) document.getElementById(`${this.prefix}-${index}`).scrollIntoView({ block: 'nearest' });
    if (tells || !this.shown.hidden) {
      this.shown.hidden = false;
      this.shown.replaceChildren(...this.tell(this.rows[index]), make('button', {
        type: 'button', text: 'Close', onclick: () => { this.shown.hidden = true; },
      }));
    }
  }

  // Each column with its text, then what else there is.
  tell(row) {
    const list = make('dl');
    for (const column of this.columns) {
      const text = this.text(column, row);
      if (text !== '') list.append(make('dt', { text: column.name }), make('dd', { text }));
    }
    return [list, ...(this.details ? this.details(row) : [])];
  }

  key(event) {
    if (event.target !== this.table) return;
    const many = Math.max(1, Math.floor(this.scroll.clientHeight / ROW_PX) - 2);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: many, PageUp: -many, Home: -this.order.length, End: this.order.length };
    if (event.key in steps) this.choose(this.current + steps[event.key], false);
    else if (event.key === 'Enter' || event.key === ' ') this.choose(Math.max(0, this.current), true);
    else if (event.key === 'Escape') this.shown.hidden = true;
    else return;
    event.preventDefault();
  }

  // Finds the first row of which this holds, and shows it.
  show(holds) {
    this.search.value = '';
    this.filter();
    const place = this.order.findIndex(index => holds(this.rows[index]));
    if (place < 0) return;
    this.choose(place, true);
    this.shown.scrollIntoView({ block: 'nearest' });
    this.table.focus({ preventScroll: true });
  }

  print(prints) {
    this.prints = prints;
    this.draw(true);
  }
}
