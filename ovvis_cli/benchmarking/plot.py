"""Bar chart as SVG: one bar per engine, divided into stages. A few rectangles need no plotting library."""

from collections.abc import Mapping, Sequence
from typing import Final
from xml.sax.saxutils import escape

from ovvis_cli.benchmarking.report import Figures
from ovvis_cli.inference.profiler import StageName

_WIDTH, _LEFT, _ROW, _BAR = 960, 260, 44, 26  # px
_COLORS: Final = (
    "#9e9e9e", "#607d8b", "#1f77b4", "#2ca02c", "#ff7f0e", "#d62728",
    "#9467bd", "#8c564b", "#e377c2", "#bcbd22", "#17becf",
)  # fmt: skip


def bar_chart(measured: Sequence[tuple[str, Figures]]) -> str:
    """Return an SVG file with the seconds per frame of every stage, for each (title, figures)."""
    names = list(dict.fromkeys(stage.name for _, figures in measured for stage in figures.stages))
    colors = {name: _COLORS[index % len(_COLORS)] for index, name in enumerate(names)}
    longest_s = max(sum(stage.median_s for stage in figures.stages) for _, figures in measured)
    scale = (_WIDTH - _LEFT - 20) / longest_s if longest_s else 0.0
    height = _ROW * len(measured) + 80
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}"'
        ' font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for row, (title, figures) in enumerate(measured):
        y, x = 10 + row * _ROW, float(_LEFT)
        parts.append(f'<text x="10" y="{y + 17}">{escape(title)}</text>')
        for stage in figures.stages:
            width = stage.median_s * scale
            told = escape(f"{stage.name}: {1000 * stage.median_s:.2f} ms a frame")
            parts.append(
                f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{_BAR}" fill="{colors[stage.name]}">'
                f"<title>{told}</title></rect>"
            )
            x += width
    parts += _legend(colors, y=_ROW * len(measured) + 20)
    return "\n".join([*parts, "</svg>\n"])


def _legend(colors: Mapping[StageName, str], *, y: int) -> list[str]:
    parts = [f'<text x="10" y="{y + 10}">time per frame and stage</text>']
    for index, (name, color) in enumerate(colors.items()):
        x, line = _LEFT + (index % 6) * 115, y + 24 * (index // 6)
        parts.append(f'<rect x="{x}" y="{line}" width="12" height="12" fill="{color}"/>')
        parts.append(f'<text x="{x + 17}" y="{line + 11}">{escape(name)}</text>')
    return parts
