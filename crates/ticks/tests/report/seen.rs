//! Pages, and what is in them.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::util::{path, stderr, ticks};

/// Makes a page of this, with these words besides, and returns where it is.
#[track_caller]
pub fn report(dir: &Path, of: &str, words: &[&str]) -> PathBuf {
    let page = dir.join("hang.html");
    let output = ticks([&["report", of, "-o", path(&page)], words].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    page
}

/// What the page shows, as its script reads it.
#[track_caller]
pub fn data(page: &Path) -> Json {
    let text = fs::read_to_string(page).expect("the page can be read");
    let begin = "<script id=\"data\" type=\"application/json\">";
    let data = text.split_once(begin).expect("the data begin").1;
    let data = data.split_once("</script>").expect("the data end").0;
    serde_json::from_str(data).expect("JSON")
}

/// The rows of a table.
pub fn rows<'a>(data: &'a Json, table: &str) -> &'a [Json] {
    data["tables"][table]["rows"].as_array().unwrap_or_else(|| panic!("{table}: {data}"))
}
