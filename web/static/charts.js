// Draws the figures that stand beside each plot as JSON: {x: [seconds], unit,
// series: [{name, bars, values}]}. The colours are the page's own.
(() => {
  const style = getComputedStyle(document.documentElement);
  const token = (name) => style.getPropertyValue(name).trim();
  const inks = ["--accent", "--warn", "--good", "--line-strong", "--urgent"].map(token);
  const units = {
    time: (v) => v == null ? "–" : v < 90 ? Math.round(v) + " s" : v < 5400 ? Math.round(v / 60) + " min" : v < 172800 ? (v / 3600).toFixed(1) + " h" : Math.round(v / 86400) + " d",
    count: (v) => v == null ? "–" : String(Math.round(v * 10) / 10),
    percent: (v) => v == null ? "–" : Math.round(v) + " %",
  };

  const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const day = (v) => { const d = new Date(v * 1000); return d.getUTCDate() + " " + months[d.getUTCMonth()]; };

  // Bars stand on each other: each is drawn from the ground up, the highest first.
  function stacked(series) {
    const sums = series[0].values.map(() => 0);
    return series.map((s) => ({ ...s, own: s.values, values: s.values.map((v, i) => { sums[i] += v ?? 0; return sums[i]; }) })).reverse();
  }

  function draw(plot, data) {
    const say = units[data.unit];
    const inkOf = new Map(data.series.map((s, i) => [s.name, inks[i % inks.length]]));
    const series = data.series[0].bars ? stacked(data.series) : data.series;
    const step = data.x.length > 1 ? data.x[1] - data.x[0] : 86400;
    const axis = { stroke: token("--quiet"), font: "12px " + style.fontFamily, grid: { stroke: token("--line"), width: 1 }, ticks: { show: false } };
    return new uPlot({
      width: plot.clientWidth, height: 210, padding: [10, 8, 0, 0],
      cursor: { drag: { x: false, y: false } },
      scales: { x: { time: true, range: (_, low, high) => [low - step * 0.6, high + step * 0.6] }, y: { range: (_, low, high) => [0, high > 0 ? high * 1.08 : 1] } },
      axes: [{ ...axis, grid: { show: false }, space: 70, values: (_, all) => all.map(day) },
        { ...axis, size: 60, values: (_, all) => all.map((v) => data.unit === "count" && v % 1 ? "" : say(v)) }],
      series: [{ label: "Day", value: (_, v) => v == null ? "–" : day(v) }].concat(series.map((s) => ({
        label: s.name, stroke: inkOf.get(s.name), spanGaps: true,
        value: (_, v, __, i) => say(i == null ? null : (s.own ?? s.values)[i]),
        ...(s.bars ? { paths: uPlot.paths.bars({ size: [0.7, 40] }), fill: inkOf.get(s.name), width: 0, points: { show: false } } : { width: 2, points: { size: 6 } }),
        ...(s.target ? { dash: [6, 5], width: 1.5, points: { show: false }, stroke: token("--quiet") } : {}),
      }))),
      tzDate: (ts) => uPlot.tzDate(new Date(ts * 1000), "UTC"),
    }, [data.x].concat(series.map((s) => s.values)), plot);
  }

  const drawn = [];
  for (const script of document.querySelectorAll('script[type="application/json"]')) {
    const plot = script.previousElementSibling;
    drawn.push([plot, draw(plot, JSON.parse(script.textContent))]);
  }
  addEventListener("resize", () => { for (const [plot, u] of drawn) u.setSize({ width: plot.clientWidth, height: 210 }); });
})();
