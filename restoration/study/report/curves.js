// A diagram of series, drawn as SVG; what is seen of it is `view`, in the units of the data.
class Chart {
  static MARGIN = { left: 64, right: 26, top: 12, bottom: 44 };
  static DASHES = ["", "7 4", "2 3"]; // the ninth series has the first one's colour and another dash

  constructor(root, number) {
    const { title, xLabel, yLabel, marks, series } = JSON.parse(root.querySelector("script").textContent);
    root.append(document.getElementById("chart").content.cloneNode(true));
    Object.assign(this, { root, title, xLabel, yLabel, marks, clip: `clip-${number}` });
    this.series = series.map((it, at) => ({
      ...it,
      visible: true,
      look: { stroke: `var(--series-${at % 8})`, "stroke-dasharray": Chart.DASHES[Math.floor(at / 8) % 3] },
    }));
    this.plot = root.querySelector(".plot");
    this.svg = root.querySelector("svg");
    this.tip = root.querySelector(".tip");
    this.svg.ariaLabel = `${title}: ${yLabel} against ${xLabel}. ${this.series.map(summary).join("; ")}`;
    this.#legend();
    this.#connect();
    this.reset();
    new ResizeObserver(() => this.draw()).observe(this.plot);
  }

  get shown() {
    return this.series.filter((series) => series.visible);
  }

  #legend() {
    for (const series of this.series) {
      const button = Object.assign(document.createElement("button"), { type: "button", ariaPressed: true });
      button.append(swatch(series), series.name);
      button.addEventListener("click", () => {
        series.visible = !series.visible;
        button.ariaPressed = series.visible;
        if (this.whole) this.reset();
        else this.draw();
      });
      this.root.querySelector(".legend").append(button);
    }
  }

  reset() {
    const points = this.shown.flatMap((series) => series.points).filter(([, y]) => y !== null);
    const extent = (at) => {
      const [low, high] = points.reduce(([l, h], point) => [Math.min(l, point[at]), Math.max(h, point[at])], [Infinity, -Infinity]);
      if (low > high) return [0, 1];
      return low === high ? [low - Math.abs(low || 1) / 10, high + Math.abs(high || 1) / 10] : [low, high];
    };
    const [x0, x1] = extent(0);
    const [y0, y1] = extent(1);
    this.full = { x0, x1, y0: y0 - (y1 - y0) * 0.04, y1: y1 + (y1 - y0) * 0.04 };
    this.view = { ...this.full };
    this.whole = true;
    this.draw();
  }

  // Screen positions of data and back, as numbers of CSS pixels.
  #scales() {
    const { left, right, top, bottom } = Chart.MARGIN;
    const { clientWidth, clientHeight } = this.plot;
    const [width, height] = [Math.max(clientWidth - left - right, 1), Math.max(clientHeight - top - bottom, 1)];
    const { x0, x1, y0, y1 } = this.view;
    return {
      left, top, width, height,
      x: (value) => left + (value - x0) / (x1 - x0) * width,
      y: (value) => top + (y1 - value) / (y1 - y0) * height,
      dataX: (at) => x0 + (at - left) / width * (x1 - x0),
      dataY: (at) => y1 - (at - top) / height * (y1 - y0),
    };
  }

  draw() {
    const scales = this.#scales();
    const { left, top, width, height } = scales;
    const frame = { x: left, y: top, width, height };
    this.svg.replaceChildren(
      node("clipPath", { id: this.clip }, node("rect", frame)),
      ...this.#grid(scales),
      node("rect", { ...frame, class: "frame" }),
      node("g", { "clip-path": `url(#${this.clip})` }, ...this.shown.map((series) =>
        node("path", { ...series.look, class: "curve", d: line(series.points, scales) })), ...dots(this.shown, scales)),
      ...this.#marked(scales),
      label(this.xLabel, { x: left + width / 2, y: top + height + 37, "text-anchor": "middle" }),
      label(this.yLabel, { transform: `translate(13 ${top + height / 2}) rotate(-90)`, "text-anchor": "middle" }),
      this.overlay = node("g", { "clip-path": `url(#${this.clip})` }),
    );
  }

  #grid({ left, top, width, height, x, y }) {
    const { x0, x1, y0, y1 } = this.view;
    const marks = [];
    for (const [value, text] of ticks(x0, x1, width / 70)) {
      marks.push(node("line", { class: "grid", x1: x(value), x2: x(value), y1: top, y2: top + height }));
      marks.push(label(text, { x: x(value), y: top + height + 17, "text-anchor": "middle" }));
    }
    for (const [value, text] of ticks(y0, y1, height / 48)) {
      marks.push(node("line", { class: "grid", x1: left, x2: left + width, y1: y(value), y2: y(value) }));
      marks.push(label(text, { x: left - 7, y: y(value) + 4, "text-anchor": "end" }));
    }
    return marks;
  }

  // Upright lines; their names stand below each other, so that neighbours do not overlap.
  #marked({ left, top, width, height, x }) {
    return this.marks.flatMap(([value, name], at) => {
      const place = x(value);
      if (place < left || place > left + width) return [];
      const right = place > left + width / 2;
      return [
        node("line", { class: "mark", x1: place, x2: place, y1: top, y2: top + height }),
        label(name, { x: place + (right ? -5 : 5), y: top + height - 8 - 15 * (at % 5), class: "marked", "text-anchor": right ? "end" : "start" }),
      ];
    });
  }

  look(view) {
    const [width, height] = [view.x1 - view.x0, view.y1 - view.y0];
    // Beyond this, ticks could not be told apart in double precision.
    if (width <= 1e-9 * Math.abs(view.x1 + view.x0) || height <= 1e-9 * Math.abs(view.y1 + view.y0)) return;
    this.view = view;
    this.whole = false;
    this.hideValues();
    this.draw();
  }

  // By a factor around a point of the data; false where all of it is seen already.
  zoom(direction, x = (this.view.x0 + this.view.x1) / 2, y = (this.view.y0 + this.view.y1) / 2) {
    if (direction < 0 && this.whole) return false;
    const by = direction > 0 ? 0.75 : 4 / 3;
    const view = {
      x0: x + (this.view.x0 - x) * by, x1: x + (this.view.x1 - x) * by,
      y0: y + (this.view.y0 - y) * by, y1: y + (this.view.y1 - y) * by,
    };
    if (view.x1 - view.x0 >= this.full.x1 - this.full.x0) this.reset();
    else this.look(view);
    return true;
  }

  move(right, up) {
    const { x0, x1, y0, y1 } = this.view;
    const [dx, dy] = [right * (x1 - x0), up * (y1 - y0)];
    this.look({ x0: x0 + dx, x1: x1 + dx, y0: y0 + dy, y1: y1 + dy });
  }

  #connect() {
    const clicked = (name, action) => this.root.querySelector(`[name="${name}"]`).addEventListener("click", action);
    clicked("in", () => this.zoom(1));
    clicked("out", () => this.zoom(-1));
    clicked("reset", () => this.reset());
    this.svg.addEventListener("dblclick", () => this.reset());
    this.svg.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      this.start = this.#position(event);
      this.svg.setPointerCapture(event.pointerId);
    });
    this.svg.addEventListener("pointermove", (event) => (this.start ? this.#choose(event) : this.showValues(event)));
    this.svg.addEventListener("pointerup", (event) => this.#chosen(event));
    this.svg.addEventListener("pointercancel", () => this.hideValues());
    this.svg.addEventListener("pointerleave", (event) => event.pointerType === "touch" || this.start || this.hideValues());
    onWheel(this.svg, (direction, event) => {
      const { dataX, dataY } = this.#scales();
      const { x, y } = this.#position(event);
      return this.zoom(direction, dataX(x), dataY(y));
    });
  }

  #position(event) {
    const box = this.plot.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  // The rectangle from where the drag began; one that is flat takes the full height, a thin one the full width.
  #rectangle(event) {
    const { left, top, width, height } = this.#scales();
    const clamp = ({ x, y }) => ({ x: Math.min(left + width, Math.max(left, x)), y: Math.min(top + height, Math.max(top, y)) });
    const [from, to] = [clamp(this.start), clamp(this.#position(event))];
    const box = {
      x: Math.min(from.x, to.x), y: Math.min(from.y, to.y), width: Math.abs(to.x - from.x), height: Math.abs(to.y - from.y),
    };
    if (Math.max(box.width, box.height) < 8) return null; // a click
    if (box.height < 14) Object.assign(box, { y: top, height });
    else if (box.width < 14) Object.assign(box, { x: left, width });
    return box;
  }

  #choose(event) {
    const box = this.#rectangle(event);
    this.tip.hidden = true;
    this.overlay.replaceChildren(...(box ? [node("rect", { ...box, class: "choice" })] : []));
  }

  #chosen(event) {
    if (!this.start) return;
    const box = this.#rectangle(event);
    const { dataX, dataY } = this.#scales();
    this.start = null;
    if (!box) this.showValues(event);
    else this.look({ x0: dataX(box.x), x1: dataX(box.x + box.width), y0: dataY(box.y + box.height), y1: dataY(box.y) });
  }

  hideValues() {
    this.start = null;
    this.tip.hidden = true;
    this.overlay.replaceChildren();
  }

  // The measured points nearest to the pointer, one of each series that has one there.
  showValues(event) {
    const { x, y, left, width } = this.#scales();
    const at = this.#position(event).x;
    const nearest = this.shown.map((series) => ({
      series,
      point: series.points.filter(([px, py]) => py !== null && x(px) > left - 1 && x(px) < left + width + 1)
        .reduce((best, point) => (best && Math.abs(x(best[0]) - at) <= Math.abs(x(point[0]) - at) ? best : point), null),
    })).filter(({ point }) => point);
    if (!nearest.length) return this.hideValues();
    const place = nearest.reduce((best, { point }) => (Math.abs(x(best) - at) <= Math.abs(x(point[0]) - at) ? best : point[0]), Infinity);
    const seen = nearest.filter(({ point }) => Math.abs(x(point[0]) - x(place)) < 3);
    seen.sort((a, b) => b.point[1] - a.point[1]);
    this.overlay.replaceChildren(
      node("line", { class: "cursor", x1: x(place), x2: x(place), y1: 0, y2: this.plot.clientHeight }),
      ...seen.map(({ series, point }) => node("circle", { cx: x(point[0]), cy: y(point[1]), r: 3.5, fill: series.look.stroke })),
    );
    const rows = seen.map(({ series, point }) => element("div", swatch(series), series.name, element("b", exact(point[1]))));
    this.tip.replaceChildren(element("div", `${place.toLocaleString("en")} ${this.xLabel}`), ...rows);
    this.tip.hidden = false;
    const room = this.plot.clientWidth - this.tip.offsetWidth - 4;
    const beside = x(place) + 14 <= room ? x(place) + 14 : x(place) - 14 - this.tip.offsetWidth;
    this.tip.style.left = `${Math.max(4, Math.min(room, beside))}px`;
  }

  // A key; true where it meant something.
  key(event) {
    if (this.whole && event.key.startsWith("Arrow")) return false; // they scroll the page
    const actions = {
      "+": () => this.zoom(1), "=": () => this.zoom(1), "-": () => this.zoom(-1), "0": () => this.reset(), "Escape": () => this.reset(),
      "ArrowLeft": () => this.move(-0.1, 0), "ArrowRight": () => this.move(0.1, 0),
      "ArrowUp": () => this.move(0, 0.1), "ArrowDown": () => this.move(0, -0.1),
    };
    actions[event.key]?.();
    return event.key in actions;
  }
}
