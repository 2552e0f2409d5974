// The bars of the timeline, and where they are.
//
// A track has a lane a depth. A lane is a list of numbers, four a bar: when it begins after the picture's beginning, how
// long it is, the number of its name, its kind. Bars of a lane follow each other. All bars are numbered in the order in
// which they stand in the data.

const BAR_NUMBERS = 4;

// The kinds, in the order of their numbers; the style has a colour for each.
const KINDS = ['other', 'runs', 'scheduled', 'waits', 'forgotten', 'sleeps', 'round', 'wakes', 'several'];

class Lanes {
  constructor(picture) {
    this.names = picture.names;
    this.tracks = picture.tracks;
    this.total = 0;
    // The number of each lane's first bar.
    this.begins = [];
    this.tracks.forEach((track, at) => track.lanes.forEach((lane, depth) => {
      this.begins.push({ number: this.total, track: at, depth });
      this.total += lane.length / BAR_NUMBERS;
    }));
    this.numberOf = new Map(this.begins.map(begin => [`${begin.track}/${begin.depth}`, begin.number]));
    this.causes = new Map();
    this.effects = new Map();
    const add = (map, key, value) => (map.has(key) ? map.get(key).push(value) : map.set(key, [value]));
    for (let at = 0; at < picture.arrows.length; at += 2) {
      const [from, to] = [picture.arrows[at], picture.arrows[at + 1]];
      add(this.effects, from, to);
      add(this.causes, to, from);
    }
  }

  // The bar at this place of a lane.
  at(track, depth, index) {
    const lane = this.tracks[track].lanes[depth];
    const [begin, length, name, kind] = lane.slice(index * BAR_NUMBERS, (index + 1) * BAR_NUMBERS);
    const number = this.numberOf.get(`${track}/${depth}`) + index;
    return { number, track, depth, index, begin, length, end: begin + length, kind, name: this.names[name] };
  }

  // The bar with this number.
  bar(number) {
    let [low, high] = [0, this.begins.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.begins[middle].number <= number) low = middle;
      else high = middle;
    }
    const { track, depth, number: first } = this.begins[low];
    return this.at(track, depth, number - first);
  }

  // The place of the first bar of a lane that ends after this time.
  firstAfter(lane, ns) {
    let [low, high] = [0, lane.length / BAR_NUMBERS];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (lane[middle * BAR_NUMBERS] + lane[middle * BAR_NUMBERS + 1] < ns) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // The numbers of all bars of which the name, with the track's, has all the words; the names that do by themselves.
  search(words) {
    const small = this.names.map(name => name.toLowerCase());
    const found = [];
    let number = 0;
    for (const track of this.tracks) {
      const of = track.name.toLowerCase();
      // Names are there many times.
      const known = new Map();
      for (const lane of track.lanes) {
        for (let at = 2; at < lane.length; at += BAR_NUMBERS, number++) {
          const name = lane[at];
          if (!known.has(name)) known.set(name, hasWords(`${of}\n${small[name]}`, words));
          if (known.get(name)) found.push(number);
        }
      }
    }
    return found;
  }
}
