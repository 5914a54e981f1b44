"""Whether hostile text has stayed text, in any front end."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

# Elements that only markup in a text would make, and attributes that only a handler has.
MARKUP = """root => {
  const made = 'script,img,iframe,object,embed,link,base,form,body,meta,[srcdoc],a[href]';
  const handlers = [...root.querySelectorAll('*')].flatMap(el =>
    el.getAttributeNames().filter(name => /^on/i.test(name)));
  const bold = [...root.querySelectorAll('b')].filter(el => el.textContent.includes('bold'));
  return [...root.querySelectorAll(made), ...bold].map(el => el.outerHTML).concat(handlers);
}"""
# Elements that would be drawn beside the card if it did not cut them off.
WIDER = """root => {
  if (root.scrollWidth <= root.clientWidth) return [];
  const { right } = root.getBoundingClientRect();
  return [...root.querySelectorAll('*')].filter(el => el.getBoundingClientRect().right > right + 1)
    .map(el => el.outerHTML.slice(0, 200));
}"""


def harmless(page: Page, root: Locator) -> None:
    """No text of the card has become markup or has run, and what is too long is cut off.

    A request beyond this machine and an error in the console fail each of these tests too.
    """
    assert root.evaluate(MARKUP) == []
    assert page.evaluate("() => [globalThis.ran ?? null, {}.polluted ?? null]") == [None, None]
    assert page.evaluate("() => getComputedStyle(document.body).display") != "none"
    assert root.evaluate("root => getComputedStyle(root).overflow") == "clip"
    assert root.evaluate(WIDER) == []
    # Steps of 30 tokens, one under the other, are about 2,000 pixels.
    assert root.evaluate("root => root.offsetHeight") < 3000
