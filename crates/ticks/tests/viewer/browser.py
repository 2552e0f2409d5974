"""Debian's Chromium, without a window, as the scripts of this folder use it."""

LIMIT_MS = 120_000

CHROMIUM = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def launch(playwright):
    return playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM, timeout=LIMIT_MS)
