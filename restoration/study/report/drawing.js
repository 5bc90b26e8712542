// What a diagram is drawn with.

// Round values between low and high, about `count` of them, each with its text.
function ticks(low, high, count) {
  const rough = (high - low) / Math.max(count, 2);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((digit) => digit * power).find((it) => it >= rough);
  const values = [];
  for (let number = Math.ceil(low / step); number * step <= high; number++) values.push(number * step);
  const [unit, suffix] = high >= 2e6 && step >= 1e4 ? [1e6, " M"] : high >= 1e4 && step >= 10 ? [1e3, " k"] : [1, ""];
  const digits = Math.max(0, -Math.floor(Math.log10(step / unit) + 1e-9));
  return values.map((value) => [value, value === 0 ? "0" : (value / unit).toFixed(digits) + suffix]);
}

// The path through the points that are known.
function line(points, { x, y }) {
  let path = "";
  let pen = "M";
  for (const [px, py] of points) {
    if (py !== null) path += `${pen}${x(px).toFixed(2)} ${y(py).toFixed(2)}`;
    pen = py === null ? "M" : "L";
  }
  return path;
}

// Where something was measured, as long as that is not everywhere.
const FEW = 32;
function dots(series, { x, y }) {
  return series.filter(({ points }) => points.length <= FEW).flatMap(({ points, look }) =>
    points.filter(([, py]) => py !== null).map(([px, py]) => node("circle", { class: "dot", cx: x(px), cy: y(py), r: 2.6, fill: look.stroke })));
}

function summary({ name, points }) {
  const last = points.findLast(([, y]) => y !== null);
  return last ? `${name} ends at ${exact(last[1])}` : `${name} is empty`;
}

function exact(value) {
  return String(Number(value.toPrecision(6)));
}

function node(name, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function label(text, attributes) {
  return node("text", attributes, text);
}

function swatch({ look }) {
  return node("svg", { class: "swatch", "aria-hidden": "true" }, node("line", { ...look, "stroke-width": 3, x1: 0, x2: 18, y1: 4, y2: 4 }));
}
