// Elements, and how numbers are written.
//
// Texts of the data go into the page by `textContent` alone, so that no text of theirs is ever read as a tag.

// An element with its attributes and its children; a string is a text.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === 'text') element.textContent = value;
    else if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child);
  }
  return element;
}

// A count with a mark at each thousand.
function count(number) {
  return String(number).replace(/\B(?=(\d{3})+(?!\d))/g, ',');
}

// `1 task`, `3 tasks`.
function things(number, thing) {
  return `${count(number)} ${thing}${number === 1 ? '' : 's'}`;
}

// A duration with three digits or so: `1.23 ms`, as the tool writes it.
function duration(ns) {
  if (ns < 0) return `−${duration(-ns)}`;
  if (ns < 1e3) return `${Math.round(ns)} ns`;
  const [value, unit] = ns < 999500 ? [ns / 1e3, 'µs'] : ns < 999500000 ? [ns / 1e6, 'ms'] : [ns / 1e9, 's'];
  if (unit === 's' && value >= 120) return long(Math.floor(value));
  return `${value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0)} ${unit}`;
}

// Two parts of days, hours, minutes and seconds.
function long(seconds) {
  const parts = [['d', 86400], ['h', 3600], ['m', 60], ['s', 1]];
  const shown = [];
  for (const [unit, length] of parts) {
    const number = Math.floor(seconds / length);
    seconds -= number * length;
    if (number > 0 || shown.length > 0) shown.push(`${number}${unit}`);
  }
  return shown.slice(0, 2).join(' ');
}

// The time of day, UTC with microseconds, so many nanoseconds after a moment in microseconds since 1970.
function clock(beginUs, ns) {
  const us = beginUs + Math.round(ns / 1e3);
  const day = new Date(Math.floor(us / 1e3)).toISOString().slice(11, 19);
  return `${day}.${String(us % 1e6).padStart(6, '0')}`;
}

// Whether each of the words is in the text. Both are in small letters.
function hasWords(text, words) {
  return words.every(word => text.includes(word));
}

function wordsOf(text) {
  return text.toLowerCase().split(/\s+/).filter(word => word !== '');
}

// Calls `work` once, a moment after the last of several calls.
function afterwards(work) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(work, 80);
  };
}

const page = JSON.parse(document.getElementById('data').textContent);

// The text of a section's heading, and its content.
function section(id) {
  const found = document.getElementById(id);
  return { heading: found.querySelector('h2'), content: found.querySelector('.content') };
}

// The process that a row is of, if there are several.
function processName(row) {
  return page.tables.processes[row.process].name;
}
