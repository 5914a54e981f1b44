// Loads the module of a live card when the reader asks for it, and draws the card in its place.
// The card stands in a shadow root, because the styles of the page would change its tables and buttons.

async function openCard(figure) {
  const button = figure.querySelector(".live-open");
  const error = figure.querySelector(".live-error");
  button.disabled = true;
  figure.dataset.state = "loading";
  try {
    const { default: lab } = await import(new URL(figure.dataset.module, document.baseURI));
    const root = figure.querySelector(".live-card").attachShadow({ mode: "open" });
    const place = root.appendChild(document.createElement("div"));
    figure.dataset.state = "open";
    await lab.render({ el: place });
    // The button with the focus is hidden now: the next Tab goes into the card.
    place.tabIndex = -1;
    place.style.outline = "none";
    place.focus({ preventScroll: true });
  } catch (reason) {
    figure.dataset.state = "failed";
    error.hidden = false;
    error.textContent = location.protocol === "file:"
      ? "A browser loads the module of this card from a web server only. Run: python -m http.server -d site"
      : `The card could not be loaded: ${reason.message}`;
  }
}

// Cards read the theme of a page from this attribute of its root.
function nameTheme() {
  const isDark = document.body.dataset.mdColorScheme === "slate";
  document.documentElement.dataset.theme = isDark ? "dark" : "light";
}
nameTheme();
new MutationObserver(nameTheme).observe(document.body, {
  attributeFilter: ["data-md-color-scheme"],
});

for (const figure of document.querySelectorAll(".live")) {
  for (const part of figure.querySelectorAll(".live-open, .live-posters")) {
    part.addEventListener("click", () => {
      if (!figure.dataset.state) openCard(figure);
    });
  }
}
