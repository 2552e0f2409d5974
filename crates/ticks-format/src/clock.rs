//! What a record's time means: anchors tie the counter to UTC.

/// Readings of several clocks at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Anchor {
    /// The counter of the records' time.
    pub counter: u64,
    /// UTC, nanoseconds since 1970.
    pub utc_ns: u64,
    /// The system's monotonic clock, nanoseconds.
    pub monotonic_ns: u64,
    /// The clock of timers' deadlines, nanoseconds; `None` where the reactor has none yet.
    pub reactor_ns: Option<u64>,
}

/// Turns records' times into UTC by the file's anchors.
#[derive(Clone, Debug)]
pub struct Clock {
    /// In the order of the counter, which differs from one to the next. So does UTC, see
    /// [`without_steps_back`].
    anchors: Vec<Anchor>,
    units_per_second: u64,
}

impl Clock {
    /// The clock with these anchors, whose counter counts about so often in a second.
    pub fn new(mut anchors: Vec<Anchor>, units_per_second: u64) -> Clock {
        anchors.sort_by_key(|anchor| anchor.counter);
        anchors.dedup_by_key(|anchor| anchor.counter);
        without_steps_back(&mut anchors);
        let units_per_second = units_per_second.max(1);
        Clock { anchors, units_per_second }
    }

    /// Whether there is anything to go by. Without it times count from the counter's zero.
    pub fn is_anchored(&self) -> bool {
        !self.anchors.is_empty()
    }

    /// The anchors, oldest first. Where UTC was set back between two of them, those before have been
    /// set back as well.
    pub fn anchors(&self) -> &[Anchor] {
        &self.anchors
    }

    /// The whole counter, of which a record keeps the low 56 bits: the value nearest to the last
    /// anchor.
    #[inline]
    pub fn whole(&self, bits: u64) -> u64 {
        const SPAN: u64 = 1 << crate::slot::TIME_BITS;
        let near = self.anchors.last().map_or(0, |anchor| anchor.counter);
        let time = (near & !(SPAN - 1)) | (bits & (SPAN - 1));
        if time > near && time - near > SPAN / 2 {
            time.checked_sub(SPAN).unwrap_or(time)
        } else if time < near && near - time > SPAN / 2 {
            time.checked_add(SPAN).unwrap_or(time)
        } else {
            time
        }
    }

    /// UTC at this value of the counter, nanoseconds since 1970.
    ///
    /// Between two anchors the counter is taken to run evenly; before the first and after the last
    /// it runs as the header says.
    pub fn utc_ns(&self, counter: u64) -> u64 {
        let after = self.anchors.partition_point(|anchor| anchor.counter <= counter);
        let before = after.checked_sub(1).and_then(|index| self.anchors.get(index));
        let (from, (ns, units)) = match (before, self.anchors.get(after)) {
            (Some(from), Some(to)) => {
                let ns = i128::from(to.utc_ns) - i128::from(from.utc_ns);
                (*from, (ns, i128::from(to.counter - from.counter)))
            }
            (Some(only), None) | (None, Some(only)) => (*only, self.nominal()),
            (None, None) => (Anchor::default(), self.nominal()),
        };
        let distance = i128::from(counter) - i128::from(from.counter);
        let utc = i128::from(from.utc_ns) + distance.saturating_mul(ns) / units.max(1);
        u64::try_from(utc.max(0)).unwrap_or(u64::MAX)
    }

    /// How long a stretch of the counter is, in nanoseconds.
    pub fn duration_ns(&self, units: u64) -> u64 {
        let (ns, per) = self.nominal();
        u64::try_from(i128::from(units).saturating_mul(ns) / per).unwrap_or(u64::MAX)
    }

    /// UTC at this reading of the clock of timers' deadlines, if an anchor knows that clock.
    pub fn reactor_to_utc_ns(&self, reactor_ns: u64) -> Option<u64> {
        let anchor = self.anchors.iter().rev().find(|anchor| anchor.reactor_ns.is_some())?;
        let ahead = i128::from(reactor_ns) - i128::from(anchor.reactor_ns?);
        u64::try_from((i128::from(anchor.utc_ns) + ahead).max(0)).ok()
    }

    fn nominal(&self) -> (i128, i128) {
        (1_000_000_000, i128::from(self.units_per_second))
    }
}

/// Has UTC go on at every anchor. Where somebody set it back, which the monotonic clock shows, it was
/// wrong before: with times as they were said, records would change their order and waits would end
/// before they began.
///
/// Where it leapt forward all is left as it was said: the machine may have slept.
fn without_steps_back(anchors: &mut [Anchor]) {
    /// Of the time between two anchors, which a clock that is slewed may be slow by.
    const SLEWED: i128 = 10;
    const UNEVEN_NS: i128 = 1_000_000;
    let mut back_ns = 0;
    for index in (1..anchors.len()).rev() {
        let (from, to) = (anchors[index - 1], anchors[index]);
        let utc_ns = i128::from(to.utc_ns) - i128::from(from.utc_ns);
        let ns = i128::from(to.monotonic_ns) - i128::from(from.monotonic_ns);
        let set = |anchor: &mut Anchor, back_ns: i128| {
            let utc_ns = (i128::from(anchor.utc_ns) - back_ns).max(0);
            anchor.utc_ns = u64::try_from(utc_ns).unwrap_or(u64::MAX);
        };
        // `to` has kept what it said so far.
        set(&mut anchors[index], back_ns);
        if utc_ns + ns / SLEWED + UNEVEN_NS < ns {
            back_ns += ns - utc_ns;
        }
        if index == 1 {
            set(&mut anchors[0], back_ns);
        }
    }
}
