"""Fixtures of the tests in a real JupyterLab: `lab` for a test, `module_lab` for a module."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from lab import Desk, Lab, launch
from labserver import Server
from playwright.sync_api import expect, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator


# A bound, not a wait: a state that is there at once is seen at once, on a slow machine too.
expect.set_options(timeout=15_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the browser last: quick tests first, and its event loop is in nobody's way."""
    items.sort(key=lambda item: "browser" in item.path.parts)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail the test itself for a request outside, an uncaught error or a console error."""
    result = yield
    problems = [p for found in _sources(item) for p in found.problems()]
    assert not problems, "the page did what it may not:\n" + "\n".join(problems)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show a failed test's recent console."""
    report = yield
    if report.failed:
        for found in _sources(item):
            report.sections.append(("browser console", found.console()))
    return report


def _sources(item: pytest.Item) -> list[Lab]:
    found = getattr(item, "funcargs", {}).values()
    return [each for each in found if isinstance(each, Lab)]


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One browser and, from when it is first asked for, one server."""
    servers: list[Server] = []

    def server() -> Server:
        if not servers:
            home = tmp_path_factory.mktemp("jupyter") / "home"
            # Elsewhere, a process that has imported torch cannot be forked safely.
            servers.append(Server(home, fork=sys.platform == "linux"))
        return servers[0]

    try:
        with sync_playwright() as playwright:
            browser = launch(playwright)
            try:
                desk = Desk(browser, server)
                yield desk
                desk.close()
            finally:
                browser.close()
    finally:
        for each in servers:
            each.stop()


@pytest.fixture
def lab(desk: Desk) -> Iterator[Lab]:
    """Open notebooks that end with the test."""
    lab = Lab(desk)
    yield lab
    lab.close()


@pytest.fixture(scope="module")
def module_lab(desk: Desk) -> Iterator[Lab]:
    """Open notebooks that a module's tests share."""
    lab = Lab(desk)
    yield lab
    lab.close()
