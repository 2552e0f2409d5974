// What of the timeline is seen, drawn on its canvas.

const LANE_PX = 17;
const TRACK_GAP_PX = 7;
const AXIS_PX = 24;

// As high as the style lets the picture be.
const HEIGHT_MAX_PX = 480;

class Painter {
  constructor(timeline) {
    this.timeline = timeline;
  }

  // Looks up the style's colours, with the help of an element that nobody sees.
  recolour(probe) {
    const colour = name => {
      // A colour for light and dark is resolved only where it is used.
      probe.style.color = `var(--${name})`;
      return getComputedStyle(probe).color;
    };
    this.colours = Object.fromEntries(['ground', 'raised', 'line', 'text', 'faint', 'link', 'bar-text'].map(name => [name, colour(name)]));
    this.kinds = KINDS.map(kind => colour(`bar-${kind}`));
    probe.style.color = '';
  }

  // All that is shown.
  paint() {
    const { canvas, view, bottom, rows, drag } = this.timeline;
    const [width, height] = [view.clientWidth, Math.min(bottom, HEIGHT_MAX_PX)];
    const ratio = devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
    }
    const g = canvas.getContext('2d');
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    g.fillStyle = this.colours.ground;
    g.fillRect(0, 0, width, height);
    g.font = '12px system-ui, sans-serif';
    g.textBaseline = 'middle';
    const top = view.scrollTop;
    const marks = this.marks(width);
    g.fillStyle = this.colours.line;
    for (const at of marks) g.fillRect(this.timeline.x(at), AXIS_PX, 1, height);
    for (const row of rows) {
      if (row.y - top > height || row.y + row.height - top < AXIS_PX) continue;
      this.drawTrack(g, row, row.y - top, width);
    }
    this.drawAxis(g, marks, width, height);
    if (drag?.zooms) {
      g.fillStyle = this.colours.link;
      g.globalAlpha = 0.2;
      g.fillRect(Math.min(drag.x, drag.to), 0, Math.abs(drag.to - drag.x), height);
      g.globalAlpha = 1;
    }
  }

  drawTrack(g, { track, height }, y, width) {
    const { name, lanes } = this.timeline.lanes.tracks[track];
    g.save();
    g.beginPath();
    g.rect(this.timeline.gutter, AXIS_PX, width - this.timeline.gutter, 1e6);
    g.clip();
    lanes.forEach((lane, depth) => this.drawLane(g, track, depth, lane, y + TRACK_GAP_PX / 2 + depth * LANE_PX));
    g.restore();
    g.fillStyle = this.colours.line;
    g.fillRect(0, y + height - 0.5, width, 0.5);
    g.save();
    g.beginPath();
    g.rect(0, AXIS_PX, this.timeline.gutter - 8, 1e6);
    g.clip();
    g.fillStyle = this.colours.text;
    g.fillText(fitted(g, name, this.timeline.gutter - 20), 10, y + height / 2);
    g.restore();
  }

  drawLane(g, track, depth, lane, y) {
    const first = this.timeline.lanes.numberOf.get(`${track}/${depth}`);
    let drawnTo = -1;
    for (let at = this.timeline.lanes.firstAfter(lane, this.timeline.from); at * BAR_NUMBERS < lane.length; at++) {
      const [begin, length, name, kind] = [0, 1, 2, 3].map(offset => lane[at * BAR_NUMBERS + offset]);
      if (begin > this.timeline.to) break;
      const number = first + at;
      const [x, end] = [Math.max(this.timeline.x(begin), this.timeline.gutter - 2), Math.min(this.timeline.x(begin + length), this.timeline.gutter + 1e5)];
      const isChosen = number === this.timeline.selected;
      // What is behind the one before is not seen.
      if (Math.max(end, x + 2) <= drawnTo && !isChosen) continue;
      const wide = Math.max(end - x, 2);
      g.globalAlpha = this.timeline.found.size > 0 && !this.timeline.found.has(number) ? 0.22 : 1;
      g.fillStyle = this.kinds[kind];
      g.fillRect(x, y, wide, LANE_PX - 2);
      drawnTo = x + wide;
      if (wide > 34) {
        g.fillStyle = this.colours['bar-text'];
        g.fillText(fitted(g, this.timeline.lanes.names[name], wide - 8), x + 4, y + LANE_PX / 2 - 0.5);
      }
      g.globalAlpha = 1;
      if (isChosen) {
        g.strokeStyle = this.colours.text;
        g.lineWidth = 2;
        g.strokeRect(x, y, wide, LANE_PX - 2);
      }
    }
  }

  // Round times, as far apart as their texts need.
  marks(width) {
    const rough = (this.timeline.to - this.timeline.from) / Math.max(2, (width - this.timeline.gutter) / 130);
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map(times => times * power).find(step => step >= rough);
    const marks = [];
    for (let at = Math.ceil(this.timeline.from / step) * step; at <= this.timeline.to; at += step) marks.push(at);
    return marks;
  }

  drawAxis(g, marks, width, height) {
    g.fillStyle = this.colours.raised;
    g.fillRect(0, 0, width, AXIS_PX);
    for (const at of marks) {
      const x = this.timeline.x(at);
      g.fillStyle = this.colours.line;
      g.fillRect(x, AXIS_PX - 6, 1, 6);
      g.fillStyle = this.colours.faint;
      const text = at === 0 ? '0' : `+${duration(at)}`;
      if (x + g.measureText(text).width + 4 < width) g.fillText(text, x + 4, AXIS_PX / 2);
    }
    g.fillStyle = this.colours.line;
    g.fillRect(0, AXIS_PX - 1, width, 1);
    g.fillRect(this.timeline.gutter - 1, 0, 1, height);
  }
}

// As much of the text as has room.
function fitted(g, text, room) {
  if (room < 8) return '';
  // Wider than any letter of the font is on average.
  let shown = text.length * 14 > room ? text.slice(0, Math.ceil(room / 3)) : text;
  if (shown === text && g.measureText(text).width <= room) return text;
  let [low, high] = [0, shown.length];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (g.measureText(`${shown.slice(0, middle)}…`).width <= room) low = middle;
    else high = middle - 1;
  }
  if (low === text.length) return text;
  shown = shown.slice(0, low);
  return low === 0 ? '' : `${shown}…`;
}
