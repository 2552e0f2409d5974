//! Two reactors in one recording would tell of two sources by one key, and `ticks who` of neither rightly. It
//! happens where a program has the crate in two versions that share the recorder. The first one records, the
//! second is told; an executor, whose numbers are given out here, records with either.

mod util;

use ticks_format::records::Ticker;
use ticks_recorder::{listens, now, record, Client};
use util::{child, own, recorded};

static EXECUTOR: Client =
    Client { version: "executor 1.0", is_reactor: false, passes_on: |_| false };
static SECOND: Client = Client { version: "test 2.0", is_reactor: true, passes_on: |_| false };

#[test]
fn one_reactor_records() {
    let said = recorded("one_reactor_records", || {
        assert!(!listens(&SECOND));
        assert!(listens(&EXECUTOR));
        assert!(listens(&util::CLIENT));
        assert!(!listens(&SECOND), "and not later");
        record(&Ticker { tick: 7 }, now());
        let recording = own();
        let version = recording.about().iter().find(|(name, _)| name == "version");
        assert_eq!(version.map(|(_, value)| value.as_str()), Some("test 1.0"));
        let rings = recording.rings().unwrap();
        let records = rings.iter().flat_map(|ring| recording.records(ring).unwrap());
        let texts = records.map(|record| format!("{:?}", record.unwrap().what));
        assert_eq!(texts.filter(|text| text.contains("Ticker { tick: 7 }")).count(), 1);
    });
    if child::role().is_none() {
        assert_eq!(said.matches("a second reactor (test 2.0)").count(), 1, "{said}");
    }
}
