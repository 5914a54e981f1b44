"""The harness itself: what it lets pass is only worth what it would have caught."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import offenders
import pytest
from lab import Lab

HERE = Path(__file__).parent

# A counter in red and green squares, as small as a widget can be.
COUNTER = """
import anywidget, traitlets

class Counter(anywidget.AnyWidget):
    _esm = '''
    function render({ model, el }) {
      const root = document.createElement("div");
      root.className = "probe";
      const button = document.createElement("button");
      const canvas = document.createElement("canvas");
      canvas.width = canvas.height = 40 * devicePixelRatio;
      canvas.style.width = canvas.style.height = "40px";
      button.onclick = () => { model.set("count", model.get("count") + 1); model.save_changes(); };
      const draw = () => {
        button.textContent = `count ${model.get("count")}`;
        const paper = canvas.getContext("2d");
        const half = canvas.width / 2;
        paper.fillStyle = "rgb(200 0 0)";
        paper.fillRect(0, 0, half, canvas.height);
        paper.fillStyle = model.get("count") % 2 ? "rgb(0 120 255)" : "rgb(0 160 0)";
        paper.fillRect(half, 0, half, canvas.height);
      };
      model.on("change:count", draw);
      root.append(button, canvas);
      el.append(root);
      draw();
      root.dataset.ready = "true";
    }
    export default { render };
    '''
    count = traitlets.Int(0).tag(sync=True)

c = Counter()
c
"""
RED, GREEN, BLUE = (200, 0, 0, 255), (0, 160, 0, 255), (0, 120, 255, 255)
PROBE = ".probe"


@pytest.fixture(scope="module")
def counter(module_lab):
    return module_lab.notebook([COUNTER, "c", "print('ran', c.count)"])


def test_click_reaches_python_and_every_view(counter):
    first, second = counter.widget(0, PROBE), counter.widget(1, PROBE)
    counter.run_cell("c.count = 4")
    button = first.get_by_role("button", name="count 4")
    button.click()
    counter.run_until("print(c.count)", "5")
    second.get_by_role("button", name="count 5").wait_for()


def test_python_reaches_the_page(counter):
    probe = counter.widget(0, PROBE)
    counter.run_cell("c.count = 40")
    probe.get_by_role("button", name="count 40").wait_for()
    canvas = probe.locator("canvas")
    assert counter.pixel(canvas, 10, 10) == counter.screen_pixel(canvas, 10, 10) == RED
    assert counter.pixel(canvas, 30, 10) == counter.screen_pixel(canvas, 30, 10) == GREEN
    counter.run_cell("c.count = 41")
    probe.get_by_role("button", name="count 41").wait_for()
    assert counter.pixel(canvas, 30, 10) == counter.screen_pixel(canvas, 30, 10) == BLUE


def test_rerun_shows_what_python_holds(counter):
    counter.run_cell("c.count = 7")
    counter.rerun_cell(2)
    assert counter.output(2) == "ran 7\n"
    counter.rerun_cell(1)
    counter.widget(1, PROBE).get_by_role("button", name="count 7").wait_for()


def test_run_cell_returns_text_and_raises(counter):
    assert counter.run_cell("print('one')\n6 * 7") == "one\n42"
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        counter.run_cell("1 / 0")
    with pytest.raises(Exception, match="no answer in 50 ms"):
        counter.run_cell("import time; time.sleep(0.3)", timeout=50)
    with pytest.raises(AssertionError, match=r"printed '1' and not '2'"):
        counter.run_until("1", "2", timeout=50)


def test_failing_cell_fails_run_all(lab):
    notebook = lab.notebook(["x = 1", "raise KeyError('gone')"], run=False)
    with pytest.raises(AssertionError, match=r"KeyError.*gone"):
        notebook.run_all()


def test_saved_state_draws_on_a_kernel_that_never_ran_it(lab):
    notebook = lab.notebook([COUNTER, "c.count = 3"])
    notebook.widget(0, PROBE).get_by_role("button", name="count 3").wait_for()
    again = lab.reopen(notebook, kernel=False)
    probe = again.widget(0, PROBE)
    assert probe.get_by_role("button").text_content() == "count 3"
    assert again.pixel(probe.locator("canvas"), 30, 10) == BLUE
    assert again.run_cell("'c' in globals()") == "False"
    again.shutdown_kernel()
    probe.get_by_role("button", name="count 3").click()
    probe.get_by_role("button", name="count 4").wait_for()


def test_reload_finds_the_running_kernel(lab):
    notebook = lab.notebook([COUNTER])
    notebook.widget(0, PROBE).get_by_role("button").click()
    notebook.run_until("print(c.count)", "1")
    again = lab.reopen(notebook, kernel=True)
    again.widget(0, PROBE).get_by_role("button", name="count 1").click()
    again.run_until("print(c.count)", "2")


def test_dark_narrow_and_dense(lab, tmp_path):
    notebook = lab.notebook([COUNTER], theme="dark", viewport=(500, 700), dpr=2)
    canvas = notebook.widget(0, PROBE).locator("canvas")
    body = notebook.page.locator("body")
    assert body.get_attribute("data-jp-theme-light") == "false"
    assert notebook.pixel(canvas, 19.7, 39.7) == RED
    assert notebook.pixel(canvas, 20.2, 0.2) == GREEN
    assert notebook.screen_pixel(canvas, 20.2, 1) == GREEN
    notebook.screenshot(canvas, tmp_path / "canvas.png")
    width = int.from_bytes((tmp_path / "canvas.png").read_bytes()[16:20], "big")
    assert 80 <= width <= 82  # an edge may fall within a device pixel
    notebook.set_theme("light")
    assert body.get_attribute("data-jp-theme-light") == "true"


def test_the_room_of_a_notebook_ends_with_the_notebook(desk):
    first, second = Lab(desk), Lab(desk)
    notebook = first.notebook(["'card'"], viewport=(700, 500))
    notebook.set_room(326)
    page = notebook.page
    assert page.locator("style[data-room]").count() == 1
    first.close()
    again = second.notebook(["'card'"], viewport=(700, 500))
    assert again.page is page
    assert page.locator("style[data-room]").count() == 0
    second.close()


NUMBERS = "import os, random, secrets, numpy\n" + (
    "print(os.getpid(), random.random(), numpy.random.rand(), secrets.token_hex(4))"
)
THREADS = "print([type(each) for each in __import__('threading').enumerate()])"
TARGETS = "print(sorted(get_ipython().kernel.comm_manager.targets))"


def test_a_forked_kernel_is_as_a_kernel_that_is_started(lab):
    forked, plain = lab.notebook(["1"]), lab.notebook(["1"], kernel="plain")
    loaded = "print('attnwidget' in sys.modules)"
    assert forked.run_cell("import sys\n" + loaded) == str(sys.platform == "linux")
    assert plain.run_cell("import sys\n" + loaded) == "False"
    for code in (
        THREADS,
        TARGETS,
        "import os, sys; print(os.getcwd(), sys.path, sys.executable, sys.argv[0])",
        "print(os.getpgid(0) == os.getpid(), sys.stdin.isatty(), __name__)",
        "import ipywidgets\n" + TARGETS,
        "import attnwidget.widget.widget, anywidget; print(anywidget.__file__)",
        "print('anywidget' in sys.modules, 'ipywidgets' in sys.modules)",
        "from tqdm.auto import tqdm; print(tqdm.__mro__)",
    ):
        assert forked.run_cell(code) == plain.run_cell(code), code
    names = "print(*os.environ)"
    assert set(plain.run_cell(names).split()) <= set(forked.run_cell(names).split())


def test_two_forked_kernels_draw_other_numbers(lab):
    drawn = [lab.notebook(["1"]).run_cell(NUMBERS).split() for _ in range(2)]
    assert all(a != b for a, b in zip(*drawn, strict=True))


def test_a_forked_kernel_is_interrupted_restarted_and_shut_down(lab):
    notebook = lab.notebook(["1"])
    pid = int(notebook.run_cell("import os; print(os.getpid())"))
    kernel = "jupyterapp.shell.currentWidget.sessionContext.session.kernel"
    text = notebook.page.evaluate(
        f"""async () => {{
          const future = {kernel}.requestExecute({{ code: "import time; time.sleep(60)" }});
          let error = null;
          future.onIOPub = ({{ header, content }}) => {{
            if (header.msg_type === 'execute_input') void {kernel}.interrupt();
            if (header.msg_type === 'error') error = content.ename;
          }};
          await future.done;
          return error;
        }}"""
    )
    assert text == "KeyboardInterrupt"
    assert int(notebook.run_cell("print(os.getpid())")) == pid
    notebook.page.evaluate(f"() => {kernel}.restart()")
    again = int(notebook.run_cell("import os; print(os.getpid())"))
    assert again != pid
    notebook.shutdown_kernel()
    end = time.monotonic() + 15
    while _lives(pid) or _lives(again):
        assert time.monotonic() < end, "the processes of ended kernels live on"


def _lives(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_offences_in_jupyterlab_are_recorded(lab):
    notebook = lab.notebook(["1"])
    notebook.page.evaluate(
        "fetch('https://attnwidget.invalid/').catch(() => setTimeout(() => { throw Error('x') }))"
    )
    text = "\n".join(lab.problems())
    assert "request beyond 127.0.0.1: https://attnwidget.invalid/" in text
    assert "uncaught error: x" in text


def test_every_offender_fails():
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(HERE / "offenders.py")],
        cwd=HERE.parents[1], capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    names = {name for name in vars(offenders) if name.startswith("test_")}
    assert set(re.findall(r"^FAILED \S+::(\w+)", run.stdout, re.M)) == names, run.stdout
    for reason in (
        "request beyond 127.0.0.1: http://attnwidget.invalid/request.png",
        "request beyond 127.0.0.1: http://192.0.2.1/address.png",
        "request beyond 127.0.0.1: http://attnwidget.invalid/frame.js",
        "request beyond 127.0.0.1: ws://attnwidget.invalid/socket",
        "uncaught error: thrown late",
        "uncaught error: thrown in frame",
        "uncaught error: rejected",
        "console error: logged 7",
        "dialog: hello",
    ):
        assert reason in run.stdout, run.stdout
