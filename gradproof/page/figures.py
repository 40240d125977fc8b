"""Pictures as small inline SVG, drawn by matplotlib, in colours that the page decides.

Each stroke and fill is drawn in a marker colour that stands for a CSS variable, so one picture serves light, dark and
print. Text stays text. What matplotlib writes for a file of its own (metadata, a style sheet for all of the document,
coordinates of a millionth of a point) is taken out.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from gradproof.page.losses import Losses
from gradproof.page.measures import STEPS, Heat, Ladder

# CSS variable -> the marker colour that is drawn in its place
MARKERS = {"ink": "#010101", "soft": "#020202", "line": "#030303", "one": "#040404", "two": "#050505"}
INK, SOFT, LINE, ONE, TWO = MARKERS.values()
SIZE = (3.5, 2.5)  # inches; the page scales it
SETTINGS = {
    "svg.fonttype": "none",
    "font.size": 10,
    "font.family": "DejaVu Sans",  # matplotlib's own: measured alike everywhere
    "axes.edgecolor": LINE,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "axes.grid": True,
    "grid.color": LINE,
    "grid.linewidth": 0.5,
    "xtick.labelcolor": SOFT,
    "ytick.labelcolor": SOFT,
    "text.color": INK,
    "lines.linewidth": 1.8,
    "path.simplify": True,
}
EDGES = np.array([0.0, *(2.0 ** np.arange(-3, 13))])  # of the bins: exactly 0 up to 1/8, then by factors of two
TICKS = {0: "0", 3.5: "½", 6.5: "4", 9.5: "32", 12.5: "256", 15.5: "2048"}


def steps_figure(found: Ladder) -> str:
    """The V: error of the central difference against its step, with our own step, error and bound."""
    figure, axes = _figure()
    _log(axes, STEPS)
    _curve(axes, STEPS, found.quotient, ONE)
    reached = found.error or found.bound / 8 or _low(found.quotient)  # a log axis has no zero
    if np.isfinite(found.step):
        axes.axvline(found.step, color=TWO, linewidth=1, linestyle=(0, (2, 2)))
    if np.isfinite(found.bound) and found.bound > 0:
        axes.plot([STEPS[-1], STEPS[0]], [found.bound] * 2, color=TWO, linewidth=1)
        _beside(axes, STEPS[-1], found.bound, "our bound", TWO)
    if np.isfinite(found.step):
        axes.plot([found.step], [reached], "o", color=TWO, markersize=5)
    axes.set_xlabel("step h")
    axes.set_ylabel("error of the slope")
    _decades(axes, [found.quotient, np.array([found.bound, reached])])
    return _svg(figure)


def taylor_figure(found: Ladder) -> str:
    """The Taylor remainders of order zero and one against the step."""
    figure, axes = _figure()
    _log(axes, STEPS)
    _curve(axes, STEPS, found.zeroth, SOFT)
    _curve(axes, STEPS, found.first, ONE)
    axes.set_xlabel("step h")
    axes.set_ylabel("remainder")
    _decades(axes, [found.zeroth, found.first])
    return _svg(figure)


def ulps_figure(by_oracle: Mapping[str, Sequence[float]]) -> str:
    """How many verdicts are off by how many ulps, an oracle a row; each row's highest bar is as high."""
    figure, axes = _figure(left=0.24)
    names = list(by_oracle)[::-1]
    for row, name in enumerate(names):
        values = np.minimum(np.nan_to_num(np.asarray(by_oracle[name]), nan=np.inf), EDGES[-1])
        counts = np.histogram(values, np.append(EDGES, np.inf))[0]
        shown = np.flatnonzero(counts)
        heights = 0.8 * counts[shown] / max(counts.max(), 1)
        corners = [[(x - 0.43, row), (x - 0.43, row + h), (x + 0.43, row + h), (x + 0.43, row)]
                   for x, h in zip(shown, heights, strict=True)]  # fmt: skip
        axes.add_collection(PolyCollection(corners, facecolors=ONE, linewidths=0))
        axes.axhline(row, color=LINE, linewidth=0.8)
    axes.set_xlim(-0.7, len(EDGES) - 0.3)
    axes.set_ylim(-0.1, len(names))
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.set_yticks(np.arange(len(names)) + 0.3, names)
    axes.set_xticks(list(TICKS), list(TICKS.values()))
    axes.grid(visible=False)
    axes.set_xlabel("error in ulps")
    return _svg(figure)


def heat_figure(found: Heat) -> str:
    """Entry by entry the error of the worst sample; the darker the larger, nothing where it is zero."""
    figure, axes = _figure()
    axes.spines[["top", "right"]].set_visible(True)
    axes.grid(visible=False)
    shown = np.where(np.isfinite(found.error), found.error, np.nanmax(found.error))
    largest = float(shown.max()) or 1.0
    # one hue that holds on light and dark; the error is its opacity
    image = np.zeros((*shown.shape, 4), np.uint8)
    image[..., :3] = (217, 72, 15)
    image[..., 3] = np.where(shown > 0, 40 + 215 * shown / largest, 0).astype(np.uint8)
    axes.imshow(image, interpolation="none", aspect="auto")
    for axis, count in ((axes.xaxis, shown.shape[1]), (axes.yaxis, shown.shape[0])):
        axis.set_major_locator(FixedLocator(sorted({0, (count - 1) // 2, count - 1})))
    flat = len(found.shape) > 2
    axes.set_xlabel("last axis" if flat else "column" if len(found.shape) == 2 else "entry")
    axes.set_ylabel("the other axes" if flat else "row" if len(found.shape) == 2 else "")
    return _svg(figure)


def loss_figure(found: Losses) -> str:
    """The loss by step, each framework on top of the others: widest first, so that all are seen."""
    styles = {"numpy": (ONE, 5.0, "-"), "torch": (TWO, 2.2, "-"), "jax": (INK, 1.0, (0, (3, 3)))}
    figure, axes = _figure()
    for name, values in found.losses.items():
        colour, width, dashes = styles[name]
        axes.plot(np.arange(1, len(values) + 1), values, color=colour, linewidth=width, linestyle=dashes)
    axes.set_xlabel("step")
    axes.set_ylabel("loss")
    axes.set_ylim(bottom=0)
    return _svg(figure)


def _figure(left: float = 0.19) -> tuple[Figure, Axes]:
    # margins by hand: a layout engine draws everything twice
    figure = Figure(figsize=SIZE)
    figure.patch.set_visible(False)
    axes = figure.add_axes((left, 0.18, 0.985 - left, 0.79))
    axes.patch.set_visible(False)
    return figure, axes


def _log(axes: Axes, x: Any) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(float(np.min(x)), float(np.max(x)) * 2)
    axes.minorticks_off()


def _curve(axes: Axes, x: Any, y: Any, colour: str) -> None:
    seen = np.isfinite(y) & (y > 0)
    axes.plot(x[seen], y[seen], color=colour)


def _low(values: Any) -> float:
    some = values[np.isfinite(values) & (values > 0)]
    return float(some.min()) if some.size else 1e-17


def _decades(axes: Axes, series: Sequence[Any]) -> None:
    """Four ticks or fewer on either axis, at whole powers of ten."""
    joined = np.concatenate([np.asarray(values, np.float64).reshape(-1) for values in series])
    some = joined[np.isfinite(joined) & (joined > 0)]
    low, high = (float(some.min()), float(some.max())) if some.size else (1e-17, 1.0)
    axes.set_ylim(low / 4, high * 6)
    for axis, (first, last) in ((axes.xaxis, (STEPS[-1], STEPS[0])), (axes.yaxis, (low, high))):
        powers = np.arange(np.ceil(np.log10(first)), np.floor(np.log10(last)) + 1)
        every = max(1, int(np.ceil(len(powers) / 4)))
        axis.set_major_locator(FixedLocator([10.0**power for power in powers[::-every]]))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"1e{round(np.log10(value))}"))
        axis.set_minor_locator(NullLocator())


def _beside(axes: Axes, x: float, y: float, text: str, colour: str) -> None:
    axes.annotate(text, (x, y), (1, 3), textcoords="offset points", color=colour, ha="left", va="bottom", size=9)


# ---- from a file of matplotlib's to a part of a page

NUMBER = re.compile(r"-?\d+\.\d{2,}")
MARK = re.compile(r'<path id="(\w+)" d="([^"]*)"')
USED = re.compile(r'<use xlink:href="#(\w+)" x="([^"]*)" y="([^"]*)" (style="[^"]*")/>')


def _svg(figure: Figure) -> str:
    """The picture as one <svg> element, as wide as its place."""
    file = io.StringIO()
    FigureCanvasSVG(figure).print_svg(file, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = file.getvalue()
    text = text[text.index("<svg") :]
    for dropped in ("<metadata>.*?</metadata>", "<style[^>]*>.*?</style>", "<!--.*?-->", "<clipPath.*?</clipPath>"):
        text = re.sub(dropped, "", text, flags=re.DOTALL)
    text = re.sub(r' clip-path="[^"]*"|<defs>\s*</defs>', "", text)
    # groups carry names alone; what stays is paths, texts and the markers that are used again
    text = re.sub(r"</?g\b[^>]*>", "", text)
    text = re.sub(r' transform="rotate\(-0 [^)]*\)"', "", text)
    text = re.sub(r" font-family: [^;]*;", "", text)
    text = NUMBER.sub(lambda found: f"{float(found[0]):.1f}".removesuffix(".0"), text)
    for name, marker in MARKERS.items():
        text = text.replace(marker, f"var(--{name})")
    width, height = (round(72 * side) for side in SIZE)
    text = re.sub(r"<svg[^>]*>", f'<svg viewBox="0 0 {width} {height}" aria-hidden="true">', text, count=1)
    # a marker is drawn in its place: an id would occur in many pictures of one page
    marks = dict(MARK.findall(text))
    text = re.sub(r"<defs>.*?</defs>", "", text, flags=re.DOTALL)
    text = re.sub(r' id="image\w*"', "", text)
    text = USED.sub(lambda f: f'<path d="{marks[f[1]]}" transform="translate({f[2]} {f[3]})" {f[4]}/>', text)
    text = text.replace("xlink:href", "href")
    return re.sub(r">\s+<", "><", re.sub(r"\s*\n\s*", " ", text)).strip()
