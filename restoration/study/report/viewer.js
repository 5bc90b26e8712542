// The photograph viewer, and the page's theme. Nothing else on the page needs JavaScript.
const LARGEST = 32; // scale

function blank(width, height) {
  return Object.assign(document.createElement("canvas"), { width, height });
}

async function decoded([title, address, psnr]) {
  const image = Object.assign(new Image(), { src: address });
  await image.decode();
  const canvas = blank(image.naturalWidth, image.naturalHeight);
  canvas.getContext("2d", { willReadFrequently: true }).drawImage(image, 0, 0);
  return { title, canvas, psnr, maps: {} };
}

// The mean over colours of |version - truth|, `gain` times, rounded down and at most 255, in colours: as in crops.py.
function difference(version, truth, gain, colours) {
  if (version.maps[gain]) return version.maps[gain];
  const { width, height } = version.canvas;
  const read = ({ canvas }) => canvas.getContext("2d").getImageData(0, 0, width, height).data;
  const [ours, theirs] = [read(version), read(truth)];
  const map = new ImageData(width, height);
  for (let at = 0; at < ours.length; at += 4) {
    let sum = 0;
    for (let place = at; place < at + 3; place++) sum += Math.abs(ours[place] - theirs[place]);
    map.data.set(colours[Math.min(255, Math.floor(sum * gain / 3))], at);
    map.data[at + 3] = 255;
  }
  version.maps[gain] = blank(width, height);
  version.maps[gain].getContext("2d").putImageData(map, 0, 0);
  return version.maps[gain];
}

// Flips between versions of a photograph at one crop. Scale 1 is one pixel of the photograph on one pixel of the screen.
// (x, y) is the place of the photograph in the middle of the canvas, which is measured in pixels of the screen.
class Viewer {
  constructor(root, colours) {
    this.sources = [...root.querySelectorAll("script")].map((script) => ({ ...script.dataset, script }));
    root.append(document.getElementById("viewer").content.cloneNode(true));
    Object.assign(this, { root, colours, x: 0, y: 0, scale: 1, fitted: true, versions: [], shown: 1, differences: false });
    this.named = (name) => root.querySelector(`[name="${name}"]`);
    this.tabs = root.querySelector(".tabs");
    this.stage = root.querySelector(".stage");
    this.canvas = root.querySelector("canvas");
    this.fill("task", [...new Set(this.sources.map(({ task }) => task))]);
    this.connect();
    this.follow();
    this.choose();
    new ResizeObserver(() => this.look()).observe(this.stage);
  }

  fill(name, texts, chosen) {
    this.named(name).replaceChildren(...texts.map((text) => new Option(text, text, false, text === chosen)));
  }

  // Lists the photographs of the task, and shows the one of this name or the first.
  choose(wanted = this.named("photograph").value) {
    const task = this.named("task").value;
    this.fill("photograph", this.sources.filter((it) => it.task === task).map((it) => it.photograph), wanted);
    return this.load();
  }

  // Decodes the chosen photograph. The version of the same title stays shown.
  async load() {
    const [task, photograph] = ["task", "photograph"].map((name) => this.named(name).value);
    const source = this.sources.find((it) => it.task === task && it.photograph === photograph);
    this.wanted = source;
    const versions = await Promise.all(JSON.parse(source.script.textContent).map(decoded));
    if (this.wanted !== source) return; // another one was chosen since
    const same = versions.findIndex(({ title }) => title === this.versions[this.shown]?.title);
    this.fitted ||= this.source.photograph !== photograph;
    Object.assign(this, { versions, source, shown: same < 0 ? 1 : same, truth: versions.at(-1) });
    this.tabs.replaceChildren(...versions.map(({ title, psnr }, index) => {
      const tab = Object.assign(document.createElement("button"), { type: "button", role: "tab", textContent: title });
      tab.append(Object.assign(document.createElement("small"), { textContent: psnr }));
      tab.addEventListener("click", () => this.flip(index));
      return tab;
    }));
    this.look();
  }

  // Shows a window of a photograph.
  async open({ task, photograph, top, left, height, width }) {
    this.named("task").value = task;
    await this.choose(photograph);
    const scale = Math.min(this.canvas.width / width, this.canvas.height / height);
    this.look(left + width / 2, top + height / 2, scale > 1 ? Math.floor(scale) : scale);
    this.root.scrollIntoView();
    this.stage.focus({ preventScroll: true });
  }

  flip(index) {
    this.shown = (index + this.versions.length) % this.versions.length;
    this.draw();
    const tab = this.tabs.children[this.shown];
    this.tabs.scrollLeft = tab.offsetLeft - this.tabs.offsetLeft - (this.tabs.clientWidth - tab.offsetWidth) / 2;
    if (this.tabs.contains(document.activeElement)) tab.focus({ preventScroll: true });
  }

  toggle() {
    this.differences = !this.differences;
    this.draw();
  }

  // The scale at which all of the photograph is seen; enlarged by whole numbers only.
  get whole() {
    const { width, height } = this.truth.canvas;
    const scale = Math.min(this.canvas.width / width, this.canvas.height / height);
    return scale > 1 ? Math.floor(scale) : scale;
  }

  limited(scale) {
    return Math.min(LARGEST, Math.max(Math.min(1, this.whole), scale));
  }

  // Moves (x, y) to the middle, as far as the photograph fills the stage; without arguments, fits a stage of another size.
  look(x = this.x, y = this.y, scale = this.fitted ? Infinity : this.scale) {
    if (!this.versions.length) return;
    const box = this.stage.getBoundingClientRect();
    this.canvas.width = Math.round(box.width * devicePixelRatio);
    this.canvas.height = Math.round(box.height * devicePixelRatio);
    this.scale = scale === Infinity ? this.whole : this.limited(scale);
    this.fitted = this.scale === this.whole;
    for (const [axis, side, at] of [["x", "width", x], ["y", "height", y]]) {
      const [half, size] = [this.canvas[side] / 2 / this.scale, this.truth.canvas[side]];
      this[axis] = half * 2 >= size ? size / 2 : Math.min(size - half, Math.max(half, at));
    }
    this.draw();
  }

  // What lies at a place of the canvas stays there.
  zoom(scale, at = { x: this.canvas.width / 2, y: this.canvas.height / 2 }) {
    const by = 1 / this.scale - 1 / this.limited(scale);
    this.look(this.x + (at.x - this.canvas.width / 2) * by, this.y + (at.y - this.canvas.height / 2) * by, scale);
  }

  // To the next power of two.
  step(direction) {
    const power = Math.log2(this.scale);
    this.zoom(2 ** (direction > 0 ? Math.floor(power) + 1 : Math.ceil(power) - 1));
  }

  move(right, down) {
    this.look(this.x + right / this.scale, this.y + down / this.scale, this.scale);
  }

  draw() {
    const { canvas, scale, truth } = this;
    const version = this.versions[this.shown];
    const gain = Number(this.named("gain").value);
    const map = this.differences && version !== truth;
    const image = map ? difference(version, truth, gain, this.colours) : version.canvas;
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, canvas.width, canvas.height);
    Object.assign(context, { imageSmoothingEnabled: scale < 1, imageSmoothingQuality: "high" });
    // Only what is seen is drawn: at 4800 % the whole photograph would be larger than any canvas.
    const [left, top] = [canvas.width / 2 - this.x * scale, canvas.height / 2 - this.y * scale].map(Math.round);
    const [x, y] = [Math.max(0, Math.floor(-left / scale)), Math.max(0, Math.floor(-top / scale))];
    const width = Math.min(image.width, Math.ceil((canvas.width - left) / scale)) - x;
    const height = Math.min(image.height, Math.ceil((canvas.height - top) / scale)) - y;
    context.drawImage(image, x, y, width, height, left + x * scale, top + y * scale, width * scale, height * scale);
    const title = map ? `${version.title}: difference × ${gain}` : version.title;
    this.root.querySelector(".label").textContent = version.psnr ? `${title}, PSNR ${version.psnr}` : title;
    this.canvas.ariaLabel = `${this.source.task}, ${this.source.photograph}: ${title}`;
    this.stage.classList.toggle("inside", this.scale > this.whole);
    this.named("zoom").value = `${Number((100 * this.scale).toPrecision(3))} %`;
    this.named("difference").ariaPressed = this.differences;
    [...this.tabs.children].forEach((tab, index) => {
      tab.ariaSelected = index === this.shown;
      tab.tabIndex = index === this.shown ? 0 : -1;
    });
  }

  connect() {
    const on = (name, event, action) => this.named(name).addEventListener(event, action);
    for (const [name, direction] of [["in", 1], ["out", -1]]) on(name, "click", () => this.step(direction));
    on("fit", "click", () => this.look(0, 0, Infinity));
    on("difference", "click", () => this.toggle());
    on("task", "change", () => this.choose());
    on("photograph", "change", () => this.load());
    on("gain", "change", () => this.draw());
    this.root.addEventListener("keydown", (event) => this.key(event));
  }

  // One pointer moves the photograph, two also zoom. The wheel zooms a stage that has the focus, else it scrolls the page.
  follow() {
    const pointers = new Map();
    const on = (event, action) => this.stage.addEventListener(event, action, { passive: false });
    const place = ({ clientX, clientY }) => {
      const { left, top } = this.stage.getBoundingClientRect();
      return { x: (clientX - left) * devicePixelRatio, y: (clientY - top) * devicePixelRatio };
    };
    const measured = () => {
      const [one, other = one] = pointers.values();
      return { x: (one.x + other.x) / 2, y: (one.y + other.y) / 2, apart: Math.hypot(one.x - other.x, one.y - other.y) };
    };
    on("pointerdown", (event) => {
      pointers.set(event.pointerId, place(event));
      this.stage.setPointerCapture(event.pointerId);
    });
    on("pointermove", (event) => {
      if (!pointers.has(event.pointerId) || !this.versions.length) return;
      const before = measured();
      pointers.set(event.pointerId, place(event));
      const after = measured();
      if (pointers.size > 1) this.zoom(this.scale * after.apart / Math.max(1, before.apart), before);
      this.move(before.x - after.x, before.y - after.y);
    });
    for (const end of ["pointerup", "pointercancel"]) on(end, (event) => pointers.delete(event.pointerId));
    on("wheel", (event) => {
      if (!event.ctrlKey && document.activeElement !== this.stage) return;
      event.preventDefault();
      const turned = event.deltaY * (event.deltaMode ? 30 : 1) * (event.ctrlKey ? 5 : 1); // a touchpad's pinch has Ctrl
      this.zoom(this.scale * 2 ** (-turned / 200), place(event));
    });
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("select") || !this.versions.length) return;
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const actions = {
      ArrowLeft: () => this.flip(this.shown - 1), ArrowRight: () => this.flip(this.shown + 1),
      "+": () => this.step(1), "-": () => this.step(-1), 0: () => this.look(0, 0, Infinity),
      d: () => this.toggle(),
    };
    if (event.shiftKey && moves[event.key]) this.move(...moves[event.key].map((by) => by * this.canvas.height * 0.15));
    else if (actions[event.key]) actions[event.key]();
    else if (this.versions[event.key - 1]) this.flip(event.key - 1);
    else return;
    event.preventDefault();
  }
}

function stored(action) {
  try {
    return action();
  } catch { /* some browsers keep nothing for files */ }
}

const theme = document.getElementById("theme"); // what it does is in page.css
stored(() => (theme.value = localStorage.getItem("theme") ?? "auto"));
theme.addEventListener("change", () => stored(() => localStorage.setItem("theme", theme.value)));

const colours = JSON.parse(document.getElementById("colours").textContent);
const viewers = [...document.querySelectorAll(".viewer")].map((root) => new Viewer(root, colours));
for (const opener of document.querySelectorAll("button.open")) {
  opener.hidden = !viewers.length;
  opener.addEventListener("click", () => viewers[0].open(JSON.parse(opener.dataset.place)));
}
