//! How wide the columns are, and texts that fit them.

use textwrap::core::display_width;

use super::tabs::Column;

/// Between two columns.
pub const GAP: u16 = 2;

/// A text that is longer may be cut where there is something else to show.
const ENOUGH: u16 = 40;

/// The columns for which there is room, each with its width, of those that are wanted, with how wide each would like to
/// be.
pub fn fit(columns: &[Column], wanted: &[(usize, u16)], room: u16) -> Vec<(usize, u16)> {
    let mut kept = wanted.to_vec();
    let needed = |kept: &[(usize, u16)]| {
        let widths = kept.iter().map(|(_, width)| u32::from(*width + GAP)).sum::<u32>();
        widths.saturating_sub(GAP.into())
    };
    // What is good to have makes room before others are cut.
    let likes = |(at, width): &(usize, u16)| (*at, (*width).min(ENOUGH));
    while needed(&kept.iter().map(likes).collect::<Vec<_>>()) > room.into() {
        let extras = kept.iter().enumerate().filter(|(_, (at, _))| columns[*at].is_extra());
        let lowest = extras.min_by_key(|(_, (at, _))| columns[*at].rank).map(|(place, _)| place);
        match lowest {
            Some(place) => drop(kept.remove(place)),
            None => break,
        }
    }
    loop {
        squeeze(columns, &mut kept, |kept| needed(kept) > room.into());
        let ranked = kept.iter().enumerate().filter(|(_, (at, _))| columns[*at].rank > 0);
        let lowest = ranked.min_by_key(|(_, (at, _))| columns[*at].rank).map(|(place, _)| place);
        match lowest {
            Some(place) if needed(&kept) > room.into() => drop(kept.remove(place)),
            _ => return kept,
        }
        // Where a column has gone, the others have their room again.
        let left: Vec<usize> = kept.iter().map(|(at, _)| *at).collect();
        kept = wanted.iter().copied().filter(|(at, _)| left.contains(at)).collect();
    }
}

/// Makes those narrower whose texts may be cut, the widest first.
fn squeeze(
    columns: &[Column],
    kept: &mut [(usize, u16)],
    is_too_wide: impl Fn(&[(usize, u16)]) -> bool,
) {
    while is_too_wide(kept) {
        let may_shrink = |(at, width): &&mut (usize, u16)| {
            columns[*at].least.is_some_and(|least| *width > least)
        };
        let widest = kept.iter_mut().filter(may_shrink).max_by_key(|(_, width)| *width);
        match widest {
            Some((_, width)) => *width -= 1,
            None => return,
        }
    }
}

/// The text in a column of this width.
pub fn cell(text: &str, column: &Column, width: u16) -> String {
    let width = usize::from(width);
    let text = cut(text, width, column.keeps_end);
    let gap = " ".repeat(width.saturating_sub(display_width(&text)));
    if column.is_number {
        gap + &text
    } else {
        text + &gap
    }
}

/// The text, or as much of its beginning or end as there is room for.
pub fn cut(text: &str, width: usize, keeps_end: bool) -> String {
    if display_width(text) <= width {
        return text.to_owned();
    }
    let Some(room) = width.checked_sub(1) else { return String::new() };
    let mut used = 0;
    let mut fits = |c: &char| {
        used += display_width(c.encode_utf8(&mut [0; 4]));
        used <= room
    };
    match keeps_end {
        false => text.chars().take_while(&mut fits).chain(['…']).collect(),
        true => {
            let end: Vec<char> = text.chars().rev().take_while(&mut fits).collect();
            ['…'].into_iter().chain(end.into_iter().rev()).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tabs::Tab;
    use super::*;

    #[test]
    fn texts_are_cut_where_they_say_least() {
        assert_eq!(cut("shop::serve", 6, false), "shop:…");
        assert_eq!(cut("shop::serve", 6, true), "…serve");
        assert_eq!(cut("wörker", 6, true), "wörker");
        assert_eq!(
            ["", "…"],
            [cut("ab", 0, true), cut("ab", 1, true)]
                .map(String::from)
                .each_ref()
                .map(String::as_str)
        );
        // Wide letters take two columns.
        assert_eq!(cut("日本語", 4, false), "日…");
    }

    #[test]
    fn columns_fit_whatever_the_width() {
        for tab in Tab::ALL {
            let columns = tab.columns();
            let natural: Vec<_> = (0..columns.len()).map(|at| (at, 30)).collect();
            for room in 46..300 {
                let kept = fit(columns, &natural, room);
                let needed = kept.iter().map(|(_, width)| width + GAP).sum::<u16>() - GAP;
                let fixed = kept.iter().filter(|(at, _)| columns[*at].least.is_none()).count();
                assert!(needed <= room.max(fixed as u16 * 32 + 40), "{}: {room}", tab.name());
                assert!(kept.windows(2).all(|pair| pair[0].0 < pair[1].0));
            }
            assert_eq!(fit(columns, &natural, u16::MAX).len(), columns.len());
        }
    }
}
