"""Reads a page of `ticks report` as a person does, in headless Chromium, and says what is seen.

    page.py PAGE PICTURES LOOK

PAGE is the page, which is opened as a file, with no network. PICTURES is the directory for the screenshots. LOOK is what
to look for, as JSON: `filter`, words for the table of tasks; `stack`, words for the stacks; `timeline`, words for the
timeline; `schemes`, light or dark or both; `picture`, how a screenshot for readers is called, if there is to be one. What
is seen goes to stdout as JSON.
"""

import json
import pathlib
import sys

from browser import LIMIT_MS, launch
from playwright.sync_api import expect, sync_playwright

VIEWPORT = {"width": 1280, "height": 900}

# The lightness of a colour, and how far a text's is from that of what is behind it: WCAG 2's contrast.
CONTRAST = """selectors => {
    const channels = colour => colour.match(/[\\d.]+/g).map(Number);
    const light = colour => {
        const [r, g, b] = channels(colour).map(value => value / 255)
            .map(value => value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = element => {
        for (let it = element; it; it = it.parentElement) {
            const colour = getComputedStyle(it).backgroundColor;
            if ((channels(colour)[3] ?? 1) > 0.5) return colour;
        }
        return getComputedStyle(document.documentElement).colorScheme === 'dark' ? 'rgb(0, 0, 0)' : 'rgb(255, 255, 255)';
    };
    const worst = {};
    for (const selector of selectors) {
        for (const element of document.querySelectorAll(selector)) {
            const [one, other] = [light(getComputedStyle(element).color), light(ground(element))];
            const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
            worst[selector] = Math.min(worst[selector] ?? 99, ratio);
        }
    }
    return worst;
}"""
TEXTS = ["body", "#subtitle", ".sure", ".finding h3", ".command", ".advice", "nav a", "th", "td", ".state", ".count",
         ".calls .function", ".calls .line", "button", ".wait", ".legend", ".hint", "dt", "dd", "input"]


def drawn(canvas):
    """What the picture looks like: something that is equal for two that look the same, and how many bytes it takes."""
    picture = canvas.evaluate("canvas => canvas.toDataURL()")
    return [hash(picture), len(picture)]


def nodes(page):
    return page.evaluate("document.querySelectorAll('*').length")


def first_cells(page, column, count=5):
    """The texts of a column in the first rows of the table of tasks."""
    return page.eval_on_selector_all(
        f"#tasks tbody tr[data-row] td:nth-child({column})",
        f"cells => cells.slice(0, {count}).map(cell => cell.textContent)",
    )


def look_at_tasks(page, words):
    """Sorts and filters, and reads a row with the keyboard alone."""
    tasks = page.locator("#tasks")
    found = {"rows": tasks.locator("table").get_attribute("aria-rowcount"), "numbers": first_cells(page, 1)}
    head = tasks.get_by_role("button", name="Task", exact=True)
    head.click()
    found["down"] = first_cells(page, 1)
    found["sort"] = tasks.locator("th").nth(0).get_attribute("aria-sort")
    head.press("Enter")
    found["up"] = first_cells(page, 1)
    table = tasks.get_by_role("grid")
    table.focus()
    table.press("End")
    found["end"] = page.locator("#tasks tr[aria-selected=true] td").first.text_content()
    found["nodes_at_end"] = nodes(page)
    table.press("Home")
    tasks.get_by_role("searchbox").fill(words)
    status = tasks.get_by_role("status")
    expect(status).to_contain_text(" of ")
    found["filtered"] = status.inner_text()
    table.focus()
    table.press("ArrowDown")
    table.press("Enter")
    found["details"] = tasks.get_by_role("region").inner_text()
    tasks.get_by_role("searchbox").fill("")
    expect(status).not_to_contain_text(" of ")
    return found


def look_at_stacks(page, words):
    """Folds, unfolds and searches."""
    stacks = page.locator("#stacks")
    stacks.get_by_role("searchbox").fill(words)
    expect(stacks.get_by_role("status")).to_contain_text(" of ")
    found = {"searched": stacks.get_by_role("status").inner_text()}
    group = stacks.locator("details").first
    if group.get_attribute("open") is not None:
        group.locator("summary").click()
    calls = group.locator(".calls")
    found["folded"] = calls.count() > 0 and calls.first.is_visible()
    group.locator("summary").focus()
    page.keyboard.press("Enter")
    calls.first.wait_for(state="visible")
    found["unfolded"] = group.inner_text()
    hidden = group.get_by_role("button", name="of runtimes and combinators")
    found["calls"] = group.locator(".calls .function").count()
    hidden.first.click()
    found["all_calls"] = group.locator(".calls .function").count()
    stacks.get_by_role("searchbox").fill("")
    return found


def look_at_timeline(page, words):
    """Zooms with the wheel, with the mouse and with keys; searches; follows an arrow."""
    timeline = page.locator("#timeline")
    canvas = timeline.locator("canvas")
    canvas.scroll_into_view_if_needed()
    # Below what stays on top while the page scrolls.
    page.mouse.wheel(0, 0)
    box = canvas.bounding_box()
    shown = timeline.locator(".shown")
    x, y = box["x"] + box["width"] * 0.6, box["y"] + min(60, box["height"] / 2)
    found = {"picture": drawn(canvas), "all": shown.inner_text()}
    page.mouse.move(x, y)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -200)
    page.keyboard.up("Control")
    found["wheel"] = shown.inner_text()
    view = timeline.get_by_role("application")
    view.focus()
    view.press("0")
    found["keys_all"] = shown.inner_text()
    view.press("+")
    found["keys_in"] = shown.inner_text()
    view.press("ArrowLeft")
    found["keys_left"] = shown.inner_text()
    view.press("0")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 80, y, steps=4)
    page.mouse.up()
    found["drag"] = shown.inner_text()
    timeline.get_by_role("button", name="Show all").click()
    found["button_all"] = shown.inner_text()
    search, hits = timeline.get_by_role("searchbox"), timeline.locator(".hits")
    # From anywhere in the page.
    view.press("/")
    page.keyboard.type(words)
    expect(hits).not_to_be_empty()
    found["hits"] = hits.inner_text()
    search.press("Enter")
    found["hit"] = hits.inner_text()
    details = timeline.get_by_role("region")
    found["details"] = details.inner_text()
    view.focus()
    view.press("Enter")
    found["zoomed"] = shown.inner_text()
    found["picture_zoomed"] = drawn(canvas)
    link = details.get_by_role("button")
    if link.count() > 0:
        found["link"] = link.first.inner_text()
        link.first.click()
        found["followed"] = details.inner_text()
    search.fill("no such thing anywhere")
    expect(hits).to_have_text("found nowhere")
    search.fill("")
    return found


def follow_the_verdict(page):
    """From a task in the verdict to its row."""
    link = page.locator("#verdict .finding button").first
    if link.count() == 0:
        return None
    link.click()
    return page.locator("#tasks").get_by_role("region").inner_text()


def take_picture(page, path, words):
    """From the verdict to the timeline, where these words begin, with the stacks closed."""
    page.locator("#stacks").get_by_role("button", name="Close all").click()
    timeline = page.locator("#timeline")
    timeline.get_by_role("searchbox").fill(words)
    expect(timeline.locator(".hits")).not_to_be_empty()
    timeline.get_by_role("searchbox").press("Enter")
    view = timeline.get_by_role("application")
    for key in ["Enter", "-", "-", "-", "Escape"]:
        view.press(key)
    timeline.get_by_role("searchbox").fill("")
    expect(timeline.locator(".hits")).to_be_empty()
    page.evaluate("document.activeElement.blur(), scrollTo(0, 0)")
    page.mouse.move(0, 0)
    legend = timeline.locator(".legend").bounding_box()
    bottom = legend["y"] + legend["height"] + 8
    page.screenshot(path=path, full_page=True, clip={"x": 0, "y": 0, "width": VIEWPORT["width"], "height": bottom})


def view(browser, file, pictures, look, scheme):
    context = browser.new_context(viewport=VIEWPORT, color_scheme=scheme, offline=True)
    page = context.new_page()
    page.set_default_timeout(LIMIT_MS)
    said, asked = [], []
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(f"exception: {error}"))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    found = {
        "title": page.title(),
        "nodes": nodes(page),
        "verdict": page.locator("#verdict").inner_text(),
        # Before anything is scrolled or clicked.
        "verdict_in_view": page.locator("#verdict .finding").first.bounding_box()["y"] < VIEWPORT["height"],
        "ground": page.evaluate("getComputedStyle(document.body).backgroundColor"),
        "contrast": page.evaluate(CONTRAST, TEXTS),
        "roles": page.locator("body").aria_snapshot()[:20000],
    }
    page.screenshot(path=pictures / f"report-{look.get('name', 'page')}-{scheme}.png")
    if look.get("picture") and scheme == "light":
        take_picture(page, pictures / look["picture"], look["timeline"])
        page.reload()
    found["tasks"] = look_at_tasks(page, look["filter"])
    found["stacks"] = look_at_stacks(page, look["stack"])
    found["timeline"] = look_at_timeline(page, look["timeline"])
    found["linked"] = follow_the_verdict(page)
    other = "light" if scheme == "dark" else "dark"
    page.get_by_label("Theme").select_option(other)
    found["switched"] = page.evaluate("getComputedStyle(document.body).backgroundColor")
    found["contrast_switched"] = page.evaluate(CONTRAST, TEXTS)
    page.get_by_label("Theme").select_option("")
    printed = page.pdf()
    found["printed"] = {"begin": printed[:5].decode(), "bytes": len(printed)}
    found["nodes_after"] = nodes(page)
    page.screenshot(path=pictures / f"report-{look.get('name', 'page')}-{scheme}-whole.png", full_page=True)
    context.close()
    return {**found, "said": said, "asked": [url for url in asked if url != file.as_uri()]}


def main():
    file, pictures, look = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]), json.loads(sys.argv[3])
    expect.set_options(timeout=LIMIT_MS)
    with sync_playwright() as playwright:
        browser = launch(playwright)
        found = {scheme: view(browser, file, pictures, look, scheme) for scheme in look["schemes"]}
        browser.close()
    json.dump(found, sys.stdout, indent=1)


main()
