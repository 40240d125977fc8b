"""The picture of README, docs/report.png, from a page: `python tests/browser/picture.py report.html`.

The top of the page and one open card, at 1200 pixels, in 64 colours: a picture of some 100 KB.
"""

import io
import os
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "report.png"
WIDTH, HEIGHT, CARD = 1200, 1420, "e-softmax"
PREPARE = """
card => {
  for (const other of document.querySelectorAll(".card")) other.open = other.id === card;
  document.querySelector(".path").textContent = "derivs";  // wherever it lies on this machine
  const parent = document.getElementById(card).parentElement;
  parent.insertBefore(document.getElementById(card), parent.querySelector(".card"));
}
"""


def main(file: str) -> None:
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        sys.exit("no browser is installed; apt install chromium")
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        page = playwright.chromium.launch(executable_path=browser, args=arguments).new_page(
            viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light"
        )
        page.goto(Path(file).resolve().as_uri())
        page.evaluate(PREPARE, CARD)
        shot = page.screenshot()
    Image.open(io.BytesIO(shot)).convert("RGB").quantize(64, dither=Image.Dither.NONE).save(PICTURE, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
