//! What is on the screen, and what each key or click changes in it.

use std::cmp::Ordering;
use std::collections::HashSet;

use super::explained::Explained;
use super::shown::{Id, Row, Shown};
use super::tabs::Tab;

/// By which column a tab is sorted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sort {
    /// The column's place.
    pub column: usize,
    /// Whether the greatest come first.
    pub high_first: bool,
}

/// What covers the table.
pub enum Pane {
    /// All that is known of a row, as it was when it was seen last.
    Details {
        /// Of which tab.
        tab: Tab,
        /// Which row.
        id: Id,
        /// What is known.
        lines: Vec<String>,
        /// Whether it is not there any more.
        is_gone: bool,
    },
    /// What `ticks explain` says.
    Explained(Explained),
    /// The keys.
    Help,
}

/// What is on the screen.
pub struct Model {
    /// The process, as it was looked at last.
    pub shown: Shown,
    /// The tab that is shown.
    pub tab: Tab,
    /// Only rows that have this in one of their cells are shown; whether it is in capitals does not matter.
    pub filter: String,
    /// Whether what is typed goes into the filter.
    pub is_typing: bool,
    /// Whether what is shown stays as it is.
    pub is_paused: bool,
    /// What covers the table, and the first line of it that is shown.
    pub pane: Option<(Pane, usize)>,
    /// Why there was nothing new at the last look.
    pub problem: Option<String>,
    /// Whether clicks are told to us, and not to the terminal.
    pub has_mouse: bool,
    /// None: in the order that says most.
    sorts: [Option<Sort>; Tab::ALL.len()],
    selected: [Option<Id>; Tab::ALL.len()],
    /// Where those are among the rows that are shown, or were.
    places: [usize; Tab::ALL.len()],
    /// The first row that is shown of each tab.
    tops: [usize; Tab::ALL.len()],
    /// The places of the rows that the filter lets through, in their order.
    order: Vec<usize>,
}

impl Model {
    /// Of the first look.
    pub fn new(shown: Shown) -> Model {
        let mut model = Model {
            tab: Tab::Tasks,
            filter: String::new(),
            is_typing: false,
            is_paused: false,
            pane: None,
            problem: None,
            has_mouse: true,
            sorts: Default::default(),
            selected: Default::default(),
            places: Default::default(),
            tops: Default::default(),
            order: Vec::new(),
            shown,
        };
        // Of a program without recorded tasks the sources say who waits.
        if model.rows_of(Tab::Tasks).is_empty() && !model.rows_of(Tab::Sources).is_empty() {
            model.tab = Tab::Sources;
        }
        model.arrange();
        model
    }

    /// Takes what was found at the next look.
    pub fn take(&mut self, looked: anyhow::Result<Shown>) {
        if self.is_paused {
            return;
        }
        match looked {
            Ok(shown) => {
                self.shown = shown;
                self.problem = None;
                self.arrange();
                self.renew_details();
            }
            Err(error) => {
                self.problem = Some(crate::plain::plain(&format!("{error:#}")).into_owned())
            }
        }
    }

    fn renew_details(&mut self) {
        let Some((Pane::Details { tab, id, lines, is_gone }, _)) = &mut self.pane else { return };
        match self.shown.tabs[tab.index()].iter().find(|row| row.id == *id) {
            Some(row) => (*lines, *is_gone) = (row.details.clone(), false),
            None => *is_gone = true,
        }
    }

    fn rows_of(&self, tab: Tab) -> &[Row] {
        &self.shown.tabs[tab.index()]
    }

    /// The rows that are shown, if there is room for them.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        let rows = self.rows_of(self.tab);
        self.order.iter().map(|place| &rows[*place])
    }

    /// How many rows the filter lets through.
    pub fn count(&self) -> usize {
        self.order.len()
    }

    /// How many rows there are.
    pub fn count_of(&self, tab: Tab) -> usize {
        self.rows_of(tab).len()
    }

    /// By what the tab is sorted, if not in its own order.
    pub fn sort(&self) -> Option<Sort> {
        self.sorts[self.tab.index()]
    }

    /// The place of the selected row among those that are shown.
    pub fn selected(&self) -> Option<usize> {
        let id = self.selected[self.tab.index()]?;
        self.rows().position(|row| row.id == id)
    }

    /// The first row that is shown where there is room for so many. The selected one is among them.
    pub fn top(&mut self, room: usize) -> usize {
        let (count, selected) = (self.count(), self.selected());
        let top = &mut self.tops[self.tab.index()];
        if let Some(selected) = selected {
            *top = (*top).clamp((selected + 1).saturating_sub(room), selected);
        }
        *top = (*top).min(count.saturating_sub(room));
        *top
    }

    /// Puts the rows in their order. The selected one stays so, unless it was the first; if it is gone, the one in its
    /// place becomes it.
    fn arrange(&mut self) {
        let wanted = self.filter.to_lowercase();
        let rows = &self.shown.tabs[self.tab.index()];
        let fits = |row: &Row| {
            wanted.is_empty()
                || row.cells.iter().any(|cell| cell.text.to_lowercase().contains(&wanted))
        };
        let mut order: Vec<usize> = (0..rows.len()).filter(|place| fits(&rows[*place])).collect();
        if let Some(sort) = self.sorts[self.tab.index()] {
            // Of equal ones the tab's own order stays.
            order.sort_by(|one, other| compare(&rows[*one], &rows[*other], sort));
        }
        self.order = order;
        let before = self.places[self.tab.index()];
        // Whoever has chosen nothing looks at whatever comes first.
        let place = if before == 0 { 0 } else { self.selected().unwrap_or(before) };
        self.select(place);
    }

    /// Selects the row in this place, or the last.
    pub fn select(&mut self, place: usize) {
        let place = place.min(self.count().saturating_sub(1));
        let id = self.rows().nth(place).map(|row| row.id);
        self.selected[self.tab.index()] = id;
        self.places[self.tab.index()] = place;
    }

    /// Selects the row so many further down, or up.
    pub fn step(&mut self, by: isize) {
        let place = self.selected().unwrap_or(0);
        self.select(place.saturating_add_signed(by));
    }

    /// Shows another tab.
    pub fn show(&mut self, tab: Tab) {
        self.tab = tab;
        self.pane = None;
        self.arrange();
    }

    /// Sorts by a column. If it is sorted by that already: the other way round.
    pub fn sort_by(&mut self, column: usize) {
        let Some(about) = self.tab.columns().get(column) else { return };
        let high_first = match self.sort() {
            Some(sort) if sort.column == column => !sort.high_first,
            _ => about.begins_high,
        };
        self.sorts[self.tab.index()] = Some(Sort { column, high_first });
        self.arrange();
    }

    /// Sorts by the next column of those that are shown, or by the one before. Beyond the last and the first is
    /// the tab's own order.
    pub fn sort_beside(&mut self, forward: bool, shown: &[usize]) {
        let at =
            self.sort().and_then(|sort| shown.iter().position(|column| *column == sort.column));
        let next = match (at, forward) {
            (None, true) => shown.first(),
            (None, false) => shown.last(),
            (Some(at), true) => shown.get(at + 1),
            (Some(at), false) => at.checked_sub(1).and_then(|at| shown.get(at)),
        };
        match next {
            Some(column) => self.sort_by(*column),
            None => {
                self.sorts[self.tab.index()] = None;
                self.arrange();
            }
        }
    }

    /// Turns the order round.
    pub fn reverse(&mut self) {
        if let Some(sort) = self.sort() {
            self.sort_by(sort.column);
        }
    }

    /// Lets through what has this in it.
    pub fn set_filter(&mut self, filter: String) {
        self.filter = filter;
        self.arrange();
    }

    /// Shows all that is known of the selected row.
    pub fn open(&mut self) {
        let row = self.selected().and_then(|place| self.rows().nth(place));
        if let Some(row) = row {
            let lines = row.details.clone();
            let details = Pane::Details { tab: self.tab, id: row.id, lines, is_gone: false };
            self.pane = Some((details, 0));
        }
    }

    /// Shows the next row's details, or those of the one before.
    pub fn open_beside(&mut self, forward: bool) {
        if matches!(self.pane, Some((Pane::Details { .. }, _))) {
            self.step(if forward { 1 } else { -1 });
            self.open();
        }
    }

    /// Shows something else over the table.
    pub fn cover(&mut self, pane: Pane) {
        self.pane = Some((pane, 0));
    }

    /// Scrolls what covers the table. Where its end is, whoever draws it says.
    pub fn scroll(&mut self, by: isize) {
        if let Some((_, top)) = &mut self.pane {
            *top = top.saturating_add_signed(by);
        }
    }

    /// Which of the recordings are shown: if there are several, their places stand for them.
    pub fn recordings(&self) -> usize {
        let ids = self.shown.tabs.iter().flatten().map(|row| row.id.0);
        ids.collect::<HashSet<_>>().len()
    }
}

fn compare(one: &Row, other: &Row, sort: Sort) -> Ordering {
    let keys = [one, other].map(|row| row.cells.get(sort.column).map(|cell| &cell.key));
    let order = keys[0].cmp(&keys[1]);
    if sort.high_first {
        order.reverse()
    } else {
        order
    }
}

#[cfg(test)]
mod tests {
    use super::super::shown::{Cell, Tone};
    use super::*;

    fn row(id: u64, name: &str) -> Row {
        let cells = vec![Cell::number(id, id.to_string()), Cell::text(name)];
        Row { id: (0, id), cells, tone: Tone::Normal, details: vec![format!("task {id}")] }
    }

    fn looked(rows: &[(u64, &str)]) -> Shown {
        let rows = rows.iter().map(|(id, name)| row(*id, name)).collect();
        Shown { tabs: [rows, Vec::new(), Vec::new(), Vec::new()], ..Shown::default() }
    }

    fn shown(model: &Model) -> Vec<u64> {
        model.rows().map(|row| row.id.1).collect()
    }

    #[test]
    fn sorting_keeps_the_order_of_equal_ones_and_numbers_are_no_texts() {
        let mut model = Model::new(looked(&[(10, "b"), (9, "a"), (100, "b")]));
        assert_eq!(shown(&model), [10, 9, 100]);
        model.sort_by(0);
        assert_eq!(shown(&model), [9, 10, 100]);
        model.sort_by(0);
        assert_eq!(shown(&model), [100, 10, 9]);
        model.sort_beside(true, &[0, 1]);
        assert_eq!(shown(&model), [9, 10, 100]);
        model.reverse();
        assert_eq!(shown(&model), [10, 100, 9]);
        model.sort_beside(true, &[0, 1]);
        assert_eq!(shown(&model), [10, 9, 100]);
    }

    #[test]
    fn the_selected_row_stays_selected_wherever_it_goes() {
        let mut model = Model::new(looked(&[(1, "a"), (2, "b"), (3, "c")]));
        model.select(1);
        model.take(Ok(looked(&[(3, "c"), (2, "b")])));
        assert_eq!(model.selected(), Some(1));
        model.take(Ok(looked(&[(3, "c"), (1, "a"), (2, "b")])));
        assert_eq!(model.selected(), Some(2));
        // It is gone, and another one is in its place.
        model.take(Ok(looked(&[(3, "c"), (1, "a"), (4, "d")])));
        assert_eq!(model.selected(), Some(2));
        // What comes first is looked at, whatever it is.
        model.set_filter("A".into());
        assert_eq!((shown(&model), model.selected()), (vec![1], Some(0)));
        model.set_filter(String::new());
        assert_eq!(model.selected(), Some(0));
        model.take(Ok(looked(&[])));
        assert_eq!(model.selected(), None);
        model.open();
        assert!(model.pane.is_none());
    }

    #[test]
    fn details_stay_when_the_row_has_gone() {
        let mut model = Model::new(looked(&[(1, "a")]));
        model.open();
        model.take(Ok(looked(&[(2, "b")])));
        match &model.pane {
            Some((Pane::Details { lines, is_gone: true, .. }, 0)) => assert_eq!(lines, &["task 1"]),
            _ => panic!("the details stay"),
        }
    }

    #[test]
    fn what_is_selected_is_in_sight() {
        let rows: Vec<(u64, &str)> = (0..100).map(|id| (id, "x")).collect();
        let mut model = Model::new(looked(&rows));
        assert_eq!(model.top(10), 0);
        model.select(50);
        assert_eq!(model.top(10), 41);
        model.step(-5);
        assert_eq!(model.top(10), 41);
        model.select(usize::MAX);
        assert_eq!(model.top(10), 90);
        assert_eq!(model.top(200), 0);
    }

    #[test]
    fn a_pause_keeps_all_as_it_is() {
        let mut model = Model::new(looked(&[(1, "a")]));
        model.is_paused = true;
        model.take(Ok(looked(&[(2, "b")])));
        model.take(Err(anyhow::anyhow!("gone")));
        assert_eq!((shown(&model), &model.problem), (vec![1], &None));
    }
}
