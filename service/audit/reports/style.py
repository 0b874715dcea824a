"""The page's style sheet: one text, whose hash the page's content security policy names.

The colours of series are the hues of Okabe and Ito (Color Universal Design, 2008), in turns darker
and lighter: neighbours in a bar differ for those too who see some hues alike, and on paper.
"""

from __future__ import annotations

LIGHT = {
    "surface": "#ffffff",
    "ink": "#1b1f24",
    "muted": "#57606a",
    "grid": "#dfe3e8",
    "axis": "#8c959f",
    "track": "#f0f2f4",
    "bad": "#a4161a",
    "good": "#14653b",
    "s0": "#0072b2",
    "s1": "#d55e00",
    "s2": "#00795c",
    "s3": "#cc79a7",
    "s4": "#8a6500",
    "s5": "#56b4e9",
    "s6": "#6e7781",
}
"""Colours by role, on white and on paper."""

DARK = {
    "surface": "#14181d",
    "ink": "#e8ecf0",
    "muted": "#a3adb8",
    "grid": "#2d343c",
    "axis": "#6b7682",
    "track": "#222931",
    "bad": "#ff8f8a",
    "good": "#6fd39b",
    "s0": "#4aa8e0",
    "s1": "#ffb08a",
    "s2": "#2aa783",
    "s3": "#f2c0da",
    "s4": "#c6982c",
    "s5": "#b5e2fb",
    "s6": "#98a2ad",
}
"""Colours by role, on black."""


def _variables(colours: dict[str, str]) -> str:
    return "".join(f"--{role}:{colour};" for role, colour in colours.items())


RULES = """
*{box-sizing:border-box}
html{background:var(--surface);color:var(--ink);-webkit-text-size-adjust:100%}
body{margin:0 auto;max-width:60rem;padding:1.5rem 1rem 4rem;
 font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif}
h1{font-size:1.6rem;line-height:1.2;margin:0}
h2{font-size:1.25rem;line-height:1.3;margin:3rem 0 .75rem;border-top:1px solid var(--grid);
 padding-top:1.25rem}
h3{font-size:1.05rem;line-height:1.35;margin:0 0 .25rem}
p{margin:.5rem 0}
code,.hash{font-family:ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;
 font-size:.875em;overflow-wrap:anywhere}
.muted,figcaption p{color:var(--muted)}
.verdict{margin:1.5rem 0;padding:1rem 1.25rem;border-left:.4rem solid var(--tone);
 background:var(--track)}
.verdict.good{--tone:var(--good)}
.verdict.bad{--tone:var(--bad)}
.verdict strong{display:block;font-size:1.35rem;line-height:1.3;color:var(--tone)}
.verdict ul{margin:.5rem 0 0;padding-left:1.2rem}
nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;list-style:none;margin:0;padding:0}
a{color:inherit;text-underline-offset:.2em}
dl{margin:0;display:grid;grid-template-columns:minmax(0,1fr);gap:0}
dt{font-weight:600;margin-top:.75rem}
dd{margin:0;min-width:0;overflow-wrap:anywhere}
dd div+div{margin-top:.1rem}
.counts{grid-template-columns:repeat(auto-fill,minmax(18rem,1fr));gap:0 2rem}
.counts>div{display:flex;justify-content:space-between;gap:1rem;padding:.3rem 0;
 border-bottom:1px solid var(--grid)}
.counts dt{font-weight:400;margin:0}
.counts dd{font-variant-numeric:tabular-nums;font-weight:600;text-align:right;flex:none;
 max-width:65%}
figure{margin:0 0 3rem}
figcaption{margin-bottom:.75rem}
figcaption p{margin:0;font-size:.9375rem}
svg{display:block;width:100%;height:auto;font-family:inherit}
svg.narrow{display:none}
svg text{fill:var(--ink);font-variant-numeric:tabular-nums}
svg text.muted{fill:var(--muted)}
svg polyline{fill:none;stroke-linejoin:round}
details{margin-top:.75rem}
summary{cursor:pointer;color:var(--muted);font-size:.9375rem}
.scroll{overflow-x:auto;margin-top:.5rem}
table{border-collapse:collapse;font-size:.875rem;font-variant-numeric:tabular-nums;width:100%}
th,td{text-align:right;padding:.3rem .5rem;border-bottom:1px solid var(--grid);
 white-space:nowrap;vertical-align:top}
th{font-weight:600}
th:first-child,td:first-child{text-align:left;padding-left:0}
tbody tr:last-child.total{font-weight:600;border-top:2px solid var(--axis)}
.badge{display:inline-block;font-size:.8125rem;font-weight:600;padding:.05rem .5rem;
 border:1px solid currentColor;border-radius:1rem;margin-right:.5rem}
.badge.error{color:var(--bad)}
.badge.warning{color:var(--muted)}
.group{margin:1.75rem 0}
.group ol{margin:.75rem 0 0;padding:0;list-style:none}
.group li{border-top:1px solid var(--grid);padding:.75rem 0}
.said{margin:0;overflow-wrap:anywhere;unicode-bidi:isolate}
.facts{font-size:.9375rem;margin-top:.4rem;gap:.15rem .75rem;
 grid-template-columns:6.5rem minmax(0,1fr)}
.facts dt{margin:0;font-weight:400;color:var(--muted)}
.facts dd{unicode-bidi:isolate}
.grants td:first-child{white-space:normal;min-width:12rem}
@media (min-width:48rem){
 .replayed{grid-template-columns:12rem minmax(0,1fr)}
 .replayed dt{margin:0;padding:.4rem 0;border-bottom:1px solid var(--grid)}
 .replayed dd{padding:.4rem 0;border-bottom:1px solid var(--grid)}
}
@media (max-width:35rem){
 svg.narrow{display:block}
 svg.wide{display:none}
 .counts{grid-template-columns:minmax(0,1fr)}
 .facts{grid-template-columns:minmax(0,1fr);gap:0}
 .facts dd{margin-bottom:.3rem}
}
@media print{
 @page{size:A4;margin:16mm 14mm}
 body{max-width:none;padding:0;font-size:10pt}
 nav{display:none}
 svg.narrow{display:none}
 svg.wide{display:block}
 h2,h3,figcaption{break-after:avoid}
 svg{break-inside:avoid}
 li,tr{break-inside:avoid}
 .scroll{overflow:visible}
 table{font-size:7.5pt}
 th,td{padding:.15rem .25rem}
 .verdict,.verdict *,svg *{-webkit-print-color-adjust:exact;print-color-adjust:exact}
 summary{display:none}
 details::details-content{content-visibility:visible;display:block}
}
"""

DRAWN = [role for role in LIGHT if role not in ("muted", "bad", "good")]
_SHAPES = "".join(
    f"rect.{role},circle.{role}{{fill:var(--{role})}}polyline.{role}{{stroke:var(--{role})}}"
    for role in DRAWN
)

STYLE = (
    f":root{{color-scheme:light dark;{_variables(LIGHT)}}}"
    f"@media screen and (prefers-color-scheme:dark){{:root{{{_variables(DARK)}}}}}{RULES}{_SHAPES}"
)
