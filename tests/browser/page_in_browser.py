"""The page in a real browser: Debian's headless Chromium (`tox -e browser`; apt install chromium).

Outside of the default tests, because it needs a browser; where none is found every test here is an error, never a skip.
GRADPROOF_SHOTS=FOLDER keeps a screenshot of each state, to be looked at.
"""

import os
import shutil
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from gradproof.cli import run

ROOT = Path(__file__).resolve().parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SIZES = {"phone": (390, 844), "desktop": (1280, 900)}
FEW = ["dense", "relu", "softmax", "tanh_sigmoid"]
CONTRAST = """
() => {
  const channel = (c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const read = (text) => text.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => 0.2126 * channel(r / 255) + 0.7152 * channel(g / 255) + 0.0722 * channel(b / 255);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = read(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!own || !element.checkVisibility() || element.closest(".sr, .skip, script, style")) continue;
    const svg = element.closest("svg");
    const ink = luminance(read(getComputedStyle(element)[svg ? "fill" : "color"]));
    const paper = luminance(behind(element));
    const ratio = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
    if (ratio < 4.5) poor.push(`${element.localName}.${element.className} ${ratio.toFixed(2)}`);
  }
  return poor;
}
"""


@pytest.fixture(scope="session")
def browser():
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    assert found, f"no browser is installed (none of {', '.join(BROWSERS)}); apt install chromium"
    with sync_playwright() as playwright:
        # a container's root has no user namespace to make a sandbox of
        started = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        yield started
        started.close()


@pytest.fixture(scope="session")
def pages(tmp_path_factory):
    """A page of right derivatives with two of the paper's claims, and one on which a stranger's is wrong."""
    from gradproof.claims import check as claims

    folder, whole = tmp_path_factory.mktemp("pages"), claims.check_paper
    wrong = folder / "wrong"
    (wrong / "vjps").mkdir(parents=True)
    (wrong / "pyproject.toml").write_text('[tool.gradproof]\ndeclarations = ["vjps/*.py"]\n', encoding="utf-8")
    for name in ("sigmoid", "tanh"):
        text = (ROOT / "derivs" / f"{name}.py").read_text(encoding="utf-8")
        spoiled = text.replace("sech * sech}", "sech}")
        (wrong / "vjps" / f"{name}.py").write_text(spoiled, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("GITHUB_ACTIONS", raising=False)
        patch.setattr(claims, "check_paper", lambda **options: whole(("eq-8", "eq-9", "eq-12", "eq-24"), **options))
        patch.setattr("gradproof.selection.select", _few)
        patch.chdir(ROOT)
        assert run(["report", "--examples", "6", "--html", str(folder / "right.html"), "-q"]) == 0
        patch.undo()
        patch.chdir(wrong)
        assert run(["report", "--examples", "6", "--html", str(folder / "wrong.html"), "-q"]) == 1
    return {"right": folder / "right.html", "wrong": folder / "wrong.html"}


def _few(equations, names=(), keyword="", kind="equation"):
    """As if these were all: a whole report has the claims too."""
    return [equations[name] for name in FEW]


@pytest.fixture(params=[(size, scheme) for size in SIZES for scheme in ("light", "dark")], ids="-".join)
def visit(request, browser, pages):
    """Open a page in one size and colour scheme; what the console says, or a request, is an error."""
    size, scheme = request.param
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, offline=True)
    said, asked = [], []

    def opened(which):
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda sent: asked.append(sent.url))
        page.goto(pages[which].as_uri())
        page.emulate_media(reduced_motion="reduce")
        folder = os.environ.get("GRADPROOF_SHOTS")
        if folder:
            page.screenshot(path=Path(folder) / f"{which}-{size}-{scheme}.png", full_page=True)
        return page

    yield opened
    context.close()
    assert said == []
    own = {file.as_uri() for file in pages.values()}
    assert {url.partition("#")[0] for url in asked if not url.startswith("data:")} <= own


def shown(page, what):
    return page.locator(f".{what}[data-kind]:visible").evaluate_all("found => found.map(e => e.id)")


@pytest.mark.parametrize("which", ["right", "wrong"])
def test_it_fits_its_window_and_every_text_can_be_read(visit, which):
    page = visit(which)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(CONTRAST) == []


def test_it_opens_at_once(visit):
    page = visit("right")
    timing = page.evaluate("performance.getEntriesByType('navigation')[0].domComplete")
    assert timing < 2000  # milliseconds


def test_the_answer_stands_in_the_first_window(visit):
    for which, answer in (("right", "All 10"), ("wrong", "1 of 2")):
        heading = visit(which).locator("h1")
        assert heading.inner_text().startswith(answer)
        assert heading.bounding_box()["y"] < 200


def test_what_is_wrong_is_red_and_above_everything_else(visit):
    page = visit("wrong")
    first = page.locator("#wrong article").first
    assert first.bounding_box()["y"] < page.locator("#derivatives").bounding_box()["y"]
    red, green, blue = page.locator("h1").evaluate("e => getComputedStyle(e).color.match(/\\d+/g).map(Number)")
    assert red > green
    assert red > blue
    assert page.locator("#e-tanh").get_attribute("open") is not None
    assert "cotangent" in first.locator("pre.code").inner_text()


def test_the_search_finds_numbers_names_and_words(visit):
    page = visit("right")
    box, output = page.locator("#derivatives input"), page.locator("#derivatives output")
    for query, found in {
        "13": ["e-dense"],
        "(7)": ["e-dense"],
        "20": ["e-relu", "e-softmax"],
        "20-relu": ["e-relu"],
        "SOFTMAX": ["e-softmax"],
        "affine batch": ["e-dense"],
        "table 2": ["e-tanh_sigmoid"],
        "nothing at all": [],
        "": ["e-" + name for name in FEW],
    }.items():
        box.fill(query)
        assert sorted(shown(page, "card")) == sorted(found), query
        assert output.inner_text() == f"{len(found)} of 4"


def test_the_verdict_chooses_and_joins_the_search(visit):
    page = visit("right")
    page.locator("#derivatives select").select_option("kink")
    assert shown(page, "card") == ["e-relu"]
    page.locator("#derivatives input").fill("softmax")
    assert shown(page, "card") == []
    page.locator("#claims select").select_option("refuted")
    claims = shown(page, "claim")
    assert "c-eq-9" in claims
    assert "c-eq-8" not in claims
    page.locator("#claims input").fill("eq-24")
    assert shown(page, "claim")
    assert all(claim.startswith("c-eq-24") for claim in shown(page, "claim"))


def test_it_can_be_used_by_keyboard_alone(visit):
    page = visit("right")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.locator("#e-softmax > summary").focus()
    page.keyboard.press("Enter")
    assert page.locator("#e-softmax").get_attribute("open") is not None
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"
    page.locator("#derivatives input").focus()
    page.keyboard.type("relu")
    page.keyboard.press("Enter")  # must not leave the page
    assert shown(page, "card") == ["e-relu"]


def test_a_link_opens_its_card_and_a_button_all_of_them(visit):
    page = visit("right")
    page.locator("details.numbers > summary").click()
    page.locator(".numbers a", has_text="23").first.click()
    assert page.locator("#e-softmax").get_attribute("open") is not None
    page.locator("button.all").click()
    assert page.locator(".card[open]").count() == len(FEW)
    assert page.locator("button.all").inner_text() == "Close all"
    page.locator("button.all").click()
    assert page.locator(".card[open]").count() == 0


def test_a_link_to_a_claim_brings_it_back_where_a_filter_took_it_away(visit):
    page = visit("right")
    page.locator("#claims input").fill("nothing at all")
    assert shown(page, "claim") == []
    page.locator(".mistakes a", has_text="eq-9").click()
    assert shown(page, "claim") == ["c-eq-9"]


def test_formulas_are_laid_out_in_the_pages_own_font(visit):
    page = visit("right")
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.evaluate("document.fonts.ready.then(() => document.fonts.check('16px \"Page Math\"', 'x'))")
    fraction = page.locator("#e-softmax mfrac").first
    top, bottom = (fraction.locator(":scope > *").nth(n).bounding_box() for n in (0, 1))
    assert top["y"] + top["height"] <= bottom["y"] + 2
    script = page.locator("#e-softmax msub").first
    base, below = (script.locator(":scope > *").nth(n).bounding_box() for n in (0, 1))
    assert below["height"] < base["height"] * 1.01
    assert below["y"] + below["height"] > base["y"] + base["height"]
    assert all(box["height"] > 8 for box in (math.bounding_box() for math in page.locator("math:visible").all()))


def test_pictures_are_drawn_in_the_colours_of_the_page(visit):
    page = visit("right")
    page.locator("button.all").click()
    pictures = page.locator("figure svg")
    assert pictures.count() == 4 * 4 + 1
    for box in (picture.bounding_box() for picture in pictures.all()):
        assert box["width"] > 200
    line = page.locator("#e-softmax figure svg path[style*='--one']").first
    wanted = page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--one').trim()")
    drawn = line.evaluate("e => getComputedStyle(e).stroke.match(/\\d+/g).map(Number)")
    assert "#" + "".join(f"{channel:02x}" for channel in drawn) == wanted


def test_on_paper_everything_is_open_and_no_tool_is_printed(visit):
    page = visit("right")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.locator(".card:not([open])").count() == 0
    assert page.locator(".tools:visible").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator(".card[open]").count() == 1


def test_a_reader_hears_names_of_regions_tables_and_fields(visit):
    page = visit("right")
    assert page.locator("html").get_attribute("lang") == "en"
    for field in page.locator("input, select").all():
        assert field.evaluate("e => e.labels.length === 1")
    for region in page.locator("[role=region], section, form").all():
        assert region.get_attribute("aria-label") or region.get_attribute("aria-labelledby")
    levels = page.locator("h1, h2, h3, h4, h5").evaluate_all("all => all.map(e => Number(e.localName[1]))")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    for table in page.locator("table").all():
        assert table.locator("th[scope=col]").count() == 8
        assert table.locator("tbody tr").count() == table.locator("th[scope=row]").count()


def test_without_a_script_everything_is_there(browser, pages):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(pages["right"].as_uri())
    assert page.locator(".card").count() == len(FEW)
    assert page.locator(".tools:visible").count() == 0
    page.locator("#e-softmax > summary").click()
    assert page.locator("#e-softmax figure").first.is_visible()
    context.close()
