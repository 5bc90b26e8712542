// Flips between versions of a photograph at one crop. 100 % is one pixel of the photograph on one pixel of the screen.
class Viewer {
  constructor(root, colours) {
    this.colours = colours;
    this.sources = [...root.querySelectorAll("script")].map((script) => ({ ...script.dataset, script }));
    root.append(document.getElementById("viewer").content.cloneNode(true));
    this.root = root;
    this.named = (name) => root.querySelector(`[name="${name}"]`);
    this.tabs = root.querySelector(".tabs");
    this.stages = [...root.querySelectorAll(".stage")];
    this.view = new View();
    this.shown = []; // the version on each stage
    this.differences = this.beside = this.held = false;
    this.pointers = new Map();
    this.#connect();
    const tasks = [...new Set(this.sources.map((source) => source.task))];
    fillSelect(this.named("task"), tasks);
    this.#choosePhotographs();
    new ResizeObserver(() => this.draw()).observe(this.stages[0].parentElement);
  }

  get gain() {
    return Number(this.named("gain").value);
  }

  #choosePhotographs(wanted = this.named("photograph").value) {
    const task = this.named("task").value;
    const names = this.sources.filter((source) => source.task === task).map((source) => source.photograph);
    fillSelect(this.named("photograph"), names, names.includes(wanted) ? wanted : names[0]);
    return this.#load();
  }

  // The same version stays where the next picture has one of its name; what was asked for last is what is shown.
  async #load() {
    const [task, photograph] = ["task", "photograph"].map((name) => this.named(name).value);
    const source = this.sources.find((it) => it.task === task && it.photograph === photograph);
    this.wanted = source;
    const picture = await Picture.decoded(JSON.parse(source.script.textContent));
    if (this.wanted !== source) return;
    const before = this.picture ? this.shown.map((index) => this.picture.titles[index]) : [];
    if (this.source && this.source.photograph !== photograph) this.view.fitted = true;
    Object.assign(this, { picture, source });
    this.shown = [1, picture.truth].map((other, at) => {
      const same = picture.titles.indexOf(before[at]);
      return same < 0 ? other : same;
    });
    this.tabs.replaceChildren(...picture.titles.map((title, index) => {
      const number = Object.assign(document.createElement("small"), { textContent: index + 1, ariaHidden: true });
      const tab = Object.assign(document.createElement("button"), { type: "button", role: "tab" });
      tab.append(number, title);
      tab.addEventListener("click", () => this.flip(index));
      return tab;
    }));
    fillSelect(this.named("other"), picture.titles);
    this.draw();
  }

  // Shows part of a photograph.
  async open({ task, photograph, ...window }) {
    this.named("task").value = task;
    await this.#choosePhotographs(photograph);
    this.view.show(window);
    this.draw();
    this.root.scrollIntoView();
    this.stages[0].focus({ preventScroll: true });
  }

  has({ task, photograph }) {
    return this.sources.some((source) => source.task === task && source.photograph === photograph);
  }

  flip(index, stage = 0) {
    if (!this.picture) return;
    const count = this.picture.titles.length;
    this.shown[stage] = (index + count) % count;
    this.draw();
    if (stage !== 0) return;
    const tab = this.tabs.children[this.shown[0]];
    reveal(this.tabs, tab);
    if (this.tabs.contains(document.activeElement)) tab.focus({ preventScroll: true });
  }

  draw() {
    if (!this.picture) return;
    this.stages[1].hidden = !this.beside;
    const box = this.stages[0].getBoundingClientRect();
    const ratio = window.devicePixelRatio;
    const stage = { width: Math.round(box.width * ratio), height: Math.round(box.height * ratio) };
    this.view.resize({ width: this.picture.width, height: this.picture.height }, stage);
    this.stages.slice(0, this.beside ? 2 : 1).forEach((element, at) => this.#paint(element, at));
    this.#describe();
  }

  #paint(element, at) {
    const { left, top, scale, stage } = this.view;
    const { width, height, truth } = this.picture;
    const canvas = element.querySelector("canvas");
    [canvas.width, canvas.height] = [stage.width, stage.height];
    const index = this.held ? truth : this.shown[at];
    const map = this.differences && index !== truth; // the truth itself says more than a map of zeros
    const image = map ? this.picture.difference(index, this.gain, this.colours) : this.picture.layers[index].canvas;
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = scale < 1;
    context.imageSmoothingQuality = "high";
    // Only what is seen is drawn: at 4800 % the whole photograph would be larger than any canvas.
    const [x0, y0] = [Math.max(0, Math.floor(-left / scale)), Math.max(0, Math.floor(-top / scale))];
    const x1 = Math.min(width, Math.ceil((stage.width - left) / scale));
    const y1 = Math.min(height, Math.ceil((stage.height - top) / scale));
    const [w, h] = [x1 - x0, y1 - y0];
    context.drawImage(image, x0, y0, w, h, left + x0 * scale, top + y0 * scale, w * scale, h * scale);
    const title = this.picture.titles[index];
    element.querySelector(".label").textContent = map ? `${title}: difference × ${this.gain}` : title;
    element.classList.toggle("inside", this.view.inside);
    const { task, photograph } = this.source;
    canvas.ariaLabel = `${task}, ${photograph}: ${map ? `difference of ${title} to the truth` : title}`;
  }

  #describe() {
    const zoom = `${Number((100 * this.view.scale).toPrecision(3))} %`;
    this.named("zoom").value = zoom;
    [...this.tabs.children].forEach((tab, index) => {
      tab.ariaSelected = index === this.shown[0];
      tab.tabIndex = index === this.shown[0] ? 0 : -1;
      tab.classList.toggle("beside", this.beside && index === this.shown[1]);
    });
    this.named("difference").ariaPressed = this.differences;
    this.named("beside").ariaPressed = this.beside;
    this.named("other").parentElement.hidden = !this.beside;
    this.named("other").value = this.picture.titles[this.shown[1]];
    const scale = this.root.querySelector(".scale");
    scale.hidden = !this.differences;
    scale.querySelector(".most").textContent = Number((255 / this.gain).toPrecision(4));
    const spoken = this.stages.slice(0, this.beside ? 2 : 1).map((stage) => stage.querySelector(".label").textContent);
    this.root.querySelector(".spoken").textContent = `${spoken.join(" beside ")}, ${zoom}`;
    this.#readPixel();
  }

  #connect() {
    const clicked = (name, action) => this.named(name).addEventListener("click", action);
    clicked("in", () => this.step(1));
    clicked("out", () => this.step(-1));
    clicked("fit", () => this.fit());
    clicked("difference", () => this.toggle("differences"));
    clicked("beside", () => this.toggle("beside"));
    clicked("help", () => this.root.querySelector("dialog").showModal());
    this.named("task").addEventListener("change", () => this.#choosePhotographs());
    this.named("photograph").addEventListener("change", () => this.#load());
    this.named("gain").addEventListener("change", () => this.draw());
    this.named("other").addEventListener("change", (event) => this.flip(event.target.selectedIndex, 1));
    const truth = this.named("truth");
    truth.addEventListener("pointerdown", () => this.hold(true));
    for (const end of ["pointerup", "pointerleave", "pointercancel", "blur"]) truth.addEventListener(end, () => this.hold(false));
    truth.addEventListener("contextmenu", (event) => event.preventDefault());
    truth.addEventListener("keydown", (event) => [" ", "Enter"].includes(event.key) && this.hold(true));
    truth.addEventListener("keyup", () => this.hold(false));
    this.stages.forEach((stage) => this.#follow(stage));
  }

  toggle(what) {
    this[what] = !this[what];
    this.draw();
  }

  hold(held) {
    if (this.held === held) return;
    this.held = held;
    this.draw();
  }

  fit() {
    this.view.fit();
    this.draw();
  }

  // At the pointer, or else in the middle.
  step(direction, at = this.pointer ?? { x: this.view.stage.width / 2, y: this.view.stage.height / 2 }) {
    const changed = this.view.step(direction, at);
    this.draw();
    return changed;
  }

  #follow(stage) {
    const position = (event) => {
      const box = stage.getBoundingClientRect();
      return { x: (event.clientX - box.left) * window.devicePixelRatio, y: (event.clientY - box.top) * window.devicePixelRatio };
    };
    stage.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      this.pointers.set(event.pointerId, position(event));
      stage.setPointerCapture(event.pointerId);
    });
    stage.addEventListener("pointermove", (event) => {
      this.pointer = position(event);
      if (this.pointers.has(event.pointerId)) this.#drag(event.pointerId);
      else this.#readPixel();
    });
    for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, (event) => this.pointers.delete(event.pointerId));
    stage.addEventListener("pointerleave", () => {
      this.pointer = null;
      this.#readPixel();
    });
    onWheel(stage, (direction, event) => this.step(direction, position(event)));
  }

  // One pointer moves the photograph; two also zoom by the distance between them.
  #drag(id) {
    const middle = () => middleOf([...this.pointers.values()]);
    const spread = () => distanceOf([...this.pointers.values()]);
    const [from, distance] = [middle(), spread()];
    this.pointers.set(id, this.pointer);
    const to = middle();
    if (this.pointers.size > 1 && distance > 0) this.view.zoom(this.view.scale * spread() / distance, from);
    this.view.move(from.x - to.x, from.y - to.y);
    this.draw();
  }

  // What lies under the pointer, in numbers.
  #readPixel() {
    const { left, top, scale } = this.view;
    const [x, y] = this.pointer ? [Math.floor((this.pointer.x - left) / scale), Math.floor((this.pointer.y - top) / scale)] : [-1, -1];
    const within = x >= 0 && y >= 0 && x < this.picture?.width && y < this.picture?.height;
    const text = (index) => `${this.picture.titles[index]} ${this.picture.colour(index, x, y).join(" ")}`;
    const versions = [...new Set([...this.shown.slice(0, this.beside ? 2 : 1), this.picture?.truth])];
    const line = within ? [`row ${y}, column ${x}`, ...versions.map(text)].join(" · ") : "";
    this.root.querySelector(".pixel").textContent = line;
  }

  // A key; true where it meant something.
  key(event) {
    if (!this.picture) return false;
    const number = /^(?:Digit|Numpad)([1-9])$/.exec(event.code)?.[1];
    const step = 0.15 * Math.min(this.view.stage.width, this.view.stage.height);
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    const actions = {
      "ArrowLeft": () => this.flip(this.shown[0] - 1),
      "ArrowRight": () => this.flip(this.shown[0] + 1),
      "+": () => this.step(1), "=": () => this.step(1), "-": () => this.step(-1),
      "0": () => this.fit(), "d": () => this.toggle("differences"), "b": () => this.toggle("beside"),
      "t": () => this.hold(true), "?": () => this.root.querySelector("dialog").showModal(),
    };
    const key = event.key.toLowerCase();
    if (event.shiftKey && moves[event.key]) {
      this.view.move(...moves[event.key]);
      this.draw();
    } else if (actions[event.key] ?? actions[key]) (actions[event.key] ?? actions[key])();
    else if (number <= this.picture.titles.length) this.flip(number - 1, event.shiftKey && this.beside ? 1 : 0);
    else return false;
    return true;
  }
}
