"""Each of these must fail: test_harness.py runs them in a pytest of their own."""

from __future__ import annotations

HTML = "<!doctype html><title>plain</title><body>plain</body>"


def test_request(lab):
    lab.page().set_content(HTML + "<img src='http://attnwidget.invalid/request.png'>")


def test_address(lab):
    lab.page().set_content(HTML + "<img src='http://192.0.2.1/address.png'>")


def test_frame(lab):
    inner = "<script src='http://attnwidget.invalid/frame.js'></script>"
    page = lab.page()
    page.set_content(f'{HTML}<iframe sandbox="allow-scripts" srcdoc="{inner}"></iframe>')


def test_socket(lab):
    page = lab.page()
    page.set_content(HTML)
    page.evaluate("""new Promise(done => {
      new WebSocket('ws://attnwidget.invalid/socket').onerror = done;
    })""")


def test_throw(lab):
    page = lab.page()
    page.set_content(HTML)
    page.evaluate("setTimeout(() => { throw new Error('thrown late') }, 20)")
    page.wait_for_event("pageerror")


def test_frame_throw(lab):
    inner = "<script>throw new Error('thrown in frame')</script>"
    page = lab.page()
    page.set_content(f'{HTML}<iframe sandbox="allow-scripts" srcdoc="{inner}"></iframe>')


def test_rejection(lab):
    page = lab.page()
    page.set_content(HTML)
    page.evaluate("void Promise.reject(new Error('rejected'))")


def test_console(lab):
    page = lab.page()
    page.set_content(HTML)
    page.evaluate("console.error('logged', 7)")


def test_dialog(lab):
    page = lab.page()
    page.set_content(HTML)
    page.evaluate("alert('hello')")
