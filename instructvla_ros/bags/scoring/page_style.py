# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The style sheet of a score's page, for light screens and dark ones."""

STYLE = """
:root { --back: #ffffff; --front: #1b1f24; --dim: #667080; --edge: #d9dee5; --card: #f6f8fa;
        --first: #1f6feb; --second: #d9730d; --done: #1b1f24; --stop: #d1242f; --limit: #8250df; }
@media (prefers-color-scheme: dark) {
  :root { --back: #0f1318; --front: #e6e9ee; --dim: #94a0b0; --edge: #2c333d; --card: #171c23;
          --first: #58a6ff; --second: #f0883e; --done: #e6e9ee; --stop: #f85149; --limit: #b58cf5; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 24px; max-width: 1180px; background: var(--back); color: var(--front);
       font: 14px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 22px; margin: 0 0 4px; } h2 { font-size: 16px; margin: 32px 0 8px; }
p { margin: 4px 0; } .dim { color: var(--dim); } code { font-size: 12.5px; }
.row { display: flex; flex-wrap: wrap; gap: 12px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); gap: 12px; margin-top: 14px; }
.tile { background: var(--card); border: 1px solid var(--edge); border-radius: 8px; padding: 10px 14px; }
.tile b { display: block; font-size: 20px; font-variant-numeric: tabular-nums; } .tile .second { font-size: 15px; }
.first { color: var(--first); } .second { color: var(--second); }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 4px 12px; text-align: right; border-bottom: 1px solid var(--edge); vertical-align: top; }
th:first-child, td:first-child, td.words { text-align: left; } th { font-weight: 600; color: var(--dim); }
.scroll { overflow-x: auto; }
svg { max-width: 100%; height: auto; background: var(--card); border: 1px solid var(--edge); border-radius: 8px; }
svg text { fill: var(--front); font-family: inherit; } svg .tick, svg .small { fill: var(--dim); font-size: 10.5px; }
svg .title { font-size: 12px; font-weight: 600; } svg .grid { stroke: var(--edge); stroke-width: 1; }
svg .line { fill: none; stroke-width: 1.8; stroke-linejoin: round; } svg .dot { stroke: none; }
svg .line.first { stroke: var(--first); } svg .dot.first { fill: var(--first); }
svg .line.second { stroke: var(--second); } svg .dot.second { fill: var(--second); }
svg .line.done { stroke: var(--done); } svg .dot.done { fill: var(--done); }
svg .line.done.faint { opacity: 0.5; stroke-dasharray: 3 3; }
svg .line.whisker { stroke-width: 1; opacity: 0.5; }
svg .line.still { stroke: var(--dim); stroke-dasharray: 5 4; }
svg .line.mark { stroke: var(--dim); stroke-dasharray: 2 3; stroke-width: 1; }
svg .line.limit { stroke: var(--limit); } svg .line.held { stroke: var(--stop); }
svg rect.stopped { fill: var(--stop); opacity: 0.13; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(360px, 1fr)); gap: 14px; }
.card { background: var(--card); border: 1px solid var(--edge); border-radius: 8px; padding: 10px; }
.card .pictures { display: flex; gap: 6px; } .card img { width: 100%; min-width: 0; border-radius: 4px; flex: 1; }
.card .row { gap: 0; flex-wrap: nowrap; } .card svg { border: 0; border-radius: 0; flex: 1; min-width: 0; }
.badge { border: 1px solid currentColor; border-radius: 9px; padding: 0 7px; font-size: 11px; color: var(--stop); }
ul { margin: 4px 0; padding-left: 20px; }
"""
