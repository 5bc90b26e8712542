// One photograph's versions, decoded, and the maps of their differences to the truth, which is the last of them.
class Picture {
  static async decoded(versions) {
    return new Picture(await Promise.all(versions.map(async ([title, address]) => {
      const image = new Image();
      image.src = address;
      await image.decode();
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
      canvas.getContext("2d", { willReadFrequently: true }).drawImage(image, 0, 0);
      return { title, canvas };
    })));
  }

  constructor(layers) {
    this.layers = layers;
    this.truth = layers.length - 1;
    this.width = layers[0].canvas.width;
    this.height = layers[0].canvas.height;
    this.maps = new Map();
  }

  get titles() {
    return this.layers.map((layer) => layer.title);
  }

  // Red, green and blue of one pixel.
  colour(index, x, y) {
    return [...this.layers[index].canvas.getContext("2d").getImageData(x, y, 1, 1).data.slice(0, 3)];
  }

  // The mean over colours of |version - truth|, `gain` times, rounded down and cut off at 255, in colours.
  difference(index, gain, colours) {
    const key = `${index} ${gain}`;
    if (!this.maps.has(key)) {
      if (this.maps.size >= 2 * this.layers.length) this.maps.clear();
      this.maps.set(key, this.#difference(index, gain, colours));
    }
    return this.maps.get(key);
  }

  #difference(index, gain, colours) {
    const [version, truth] = [index, this.truth].map((layer) =>
      this.layers[layer].canvas.getContext("2d").getImageData(0, 0, this.width, this.height).data);
    const map = new ImageData(this.width, this.height);
    for (let at = 0; at < version.length; at += 4) {
      let sum = 0;
      for (let channel = at; channel < at + 3; channel++) sum += Math.abs(version[channel] - truth[channel]);
      map.data.set(colours[Math.min(255, Math.floor(sum * gain / 3))], at);
      map.data[at + 3] = 255;
    }
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [this.width, this.height];
    canvas.getContext("2d").putImageData(map, 0, 0);
    return canvas;
  }
}

// Which part of a photograph is seen: the pixel in the middle, and how many pixels of the screen one of it takes.
class View {
  static STEPS = [0.1, 0.15, 0.25, 1 / 3, 0.5, 2 / 3, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48];

  constructor() {
    this.fitted = true;
    this.size = { width: 1, height: 1 }; // of the photograph
    this.stage = { width: 1, height: 1 }; // in pixels of the screen
    this.fit();
  }

  // The scale at which all of the photograph is seen; enlarged only by whole numbers.
  get whole() {
    const scale = Math.min(this.stage.width / this.size.width, this.stage.height / this.size.height);
    return scale > 1 ? Math.floor(scale) : scale;
  }

  get left() {
    return Math.round(this.stage.width / 2 - this.x * this.scale);
  }

  get top() {
    return Math.round(this.stage.height / 2 - this.y * this.scale);
  }

  // Whether one could see more of the photograph by moving.
  get inside() {
    return this.size.width * this.scale > this.stage.width + 1 || this.size.height * this.scale > this.stage.height + 1;
  }

  fit() {
    this.fitted = true;
    this.scale = this.whole;
    this.x = this.size.width / 2;
    this.y = this.size.height / 2;
  }

  resize(size, stage) {
    const same = size.width === this.size.width && size.height === this.size.height;
    Object.assign(this, { size, stage });
    if (this.fitted || !same) this.fit();
    else this.#settle();
  }

  // What lies at `at` on the stage stays there.
  zoom(scale, at) {
    const x = this.x + (at.x - this.stage.width / 2) / this.scale;
    const y = this.y + (at.y - this.stage.height / 2) / this.scale;
    this.scale = Math.min(View.STEPS.at(-1), Math.max(Math.min(1, this.whole), scale));
    this.x = x - (at.x - this.stage.width / 2) / this.scale;
    this.y = y - (at.y - this.stage.height / 2) / this.scale;
    this.fitted = this.scale === this.whole && !this.inside;
    this.#settle();
  }

  // The next scale up (1) or down (-1); false where there is none.
  step(direction, at) {
    const before = this.scale;
    const steps = [...View.STEPS, this.whole].sort((a, b) => a - b);
    const next = direction > 0 ? steps.find((step) => step > before * 1.001) : steps.findLast((step) => step < before * 0.999);
    this.zoom(next ?? before, at);
    return this.scale !== before;
  }

  move(right, down) {
    this.x += right / this.scale;
    this.y += down / this.scale;
    this.#settle();
  }

  show({ top, left, height, width }) {
    const scale = Math.min(this.stage.width / width, this.stage.height / height);
    this.scale = scale > 1 ? Math.floor(scale) : scale;
    this.fitted = false;
    this.x = left + width / 2;
    this.y = top + height / 2;
    this.#settle();
  }

  // The photograph fills the stage, or stands in the middle of it where it is smaller.
  #settle() {
    for (const [axis, side] of [["x", "width"], ["y", "height"]]) {
      const half = this.stage[side] / 2 / this.scale;
      this[axis] = half * 2 >= this.size[side] ? this.size[side] / 2 : Math.min(this.size[side] - half, Math.max(half, this[axis]));
    }
  }
}
