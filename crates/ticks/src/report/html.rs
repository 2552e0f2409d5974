//! The page: what it shows as JSON, between a style and a script that are written by hand in `page/`.

use serde_json::Value as Json;

/// How the page's data are laid out. The page itself says which it has, so that a tool can read it later.
pub const VERSION: u32 = 1;

/// What each page begins with, so that it is known again.
pub const BEGIN: &str = "<!doctype html>\n<!-- made by ticks report -->\n";

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");

/// In the order in which they use each other.
const SCRIPTS: [&str; 8] = [
    include_str!("page/words.js"),
    include_str!("page/table.js"),
    include_str!("page/stacks.js"),
    include_str!("page/lanes.js"),
    include_str!("page/painter.js"),
    include_str!("page/timeline.js"),
    include_str!("page/verdict.js"),
    include_str!("page/page.js"),
];

/// The whole page. `data` goes in as text that ends no element: JSON has `<` in strings only, and there it may be
/// written as an escape.
pub fn of(data: &Json) -> String {
    let data = data.to_string().replace('<', "\\u003c");
    let scripts = SCRIPTS.concat();
    let mut page = String::with_capacity(PAGE.len() + STYLE.len() + scripts.len() + data.len());
    page.push_str(BEGIN);
    // Each mark is there once. What is put in is not looked through for marks.
    let mut rest = PAGE;
    for (mark, text) in [("{{style}}", STYLE), ("{{data}}", &data), ("{{script}}", &scripts)] {
        let (before, after) = rest.split_once(mark).expect("the page has its marks in this order");
        page.push_str(before);
        page.push_str(text);
        rest = after;
    }
    page.push_str(rest);
    page
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_text_ends_the_data() {
        let evil = "</script><script>alert(1)</script><!-- {{script}} ]]>";
        let page = of(&json!({ "name": evil }));
        assert!(!page.contains("alert(1)</script>"), "{page}");
        let begin = page.find("application/json").expect("it is there");
        let data = page[begin..].split_once('>').expect("the element begins").1;
        let data = data.split_once("</script>").expect("the element ends").0;
        let read: Json = serde_json::from_str(data).expect("JSON");
        assert_eq!(read["name"], evil);
    }

    #[test]
    fn the_page_is_whole_and_loads_nothing() {
        let page = of(&json!({}));
        assert!(page.starts_with(BEGIN) && page.trim_end().ends_with("</html>"));
        assert!(!page.contains("{{"), "a mark is left");
        for loads in [" src=", "href=\"http", "@import", "url(", "fetch(", "XMLHttpRequest"] {
            assert!(!page.contains(loads), "{loads}");
        }
        for writes in ["innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval("] {
            assert!(!page.contains(writes), "{writes}");
        }
    }
}
