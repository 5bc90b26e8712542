// Starts everything, and what viewers and charts share.
function element(name, ...children) {
  const made = document.createElement(name);
  made.append(...children);
  return made;
}

function fillSelect(select, texts, chosen = texts[0]) {
  select.replaceChildren(...texts.map((text) => new Option(text, text, false, text === chosen)));
}

// Scrolls `item` into sight within `box`, and nothing else.
function reveal(box, item) {
  box.scrollLeft = Math.min(item.offsetLeft - box.offsetLeft, Math.max(box.scrollLeft, item.offsetLeft - box.offsetLeft + item.offsetWidth - box.clientWidth));
}

function middleOf(points) {
  const sum = points.reduce((total, { x, y }) => ({ x: total.x + x, y: total.y + y }));
  return { x: sum.x / points.length, y: sum.y / points.length };
}

function distanceOf([one, other]) {
  return other ? Math.hypot(one.x - other.x, one.y - other.y) : 0;
}

// The wheel in steps of 1 and -1. Where `action` says false, and while the page is being scrolled, it scrolls the page.
let scrolled = -Infinity;
addEventListener("scroll", () => (scrolled = performance.now()), { passive: true });
function onWheel(target, action) {
  let turned = 0;
  let last = 0;
  target.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && performance.now() - scrolled < 300) return;
    if (event.timeStamp - last > 300 || Math.sign(turned) !== Math.sign(event.deltaY)) turned = 0;
    last = event.timeStamp;
    turned += event.deltaY * (event.deltaMode === 1 ? 30 : 1) * (event.ctrlKey ? 5 : 1); // a pinch on a touchpad has Ctrl
    const enough = Math.abs(turned) >= 50;
    const direction = turned < 0 ? 1 : -1;
    if (enough) turned = 0;
    if (!enough || action(direction, event) !== false) event.preventDefault();
  }, { passive: false });
}

// Keys go to the viewer or diagram that has the focus, or else to the one under the pointer.
function listen(parts) {
  const typing = (target) => target.closest("select, dialog");
  const addressed = (target) => parts.find(({ root }) => root.contains(target)) ??
    (target === document.body ? parts.find(({ root }) => root.matches(":hover")) : undefined);
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    if (addressed(event.target)?.key(event)) event.preventDefault();
  });
  const release = () => parts.forEach((part) => part.hold?.(false));
  addEventListener("keyup", (event) => event.key.toLowerCase() === "t" && release());
  addEventListener("blur", release);
}

function chooseTheme() {
  const themes = ["auto", "light", "dark"];
  const button = document.getElementById("theme");
  const use = (theme) => {
    button.textContent = `Theme: ${theme}`;
    document.documentElement.dataset.theme = theme;
  };
  let theme = "auto";
  try {
    theme = localStorage.getItem("theme") ?? theme;
  } catch { /* some browsers keep nothing for files */ }
  use(themes.includes(theme) ? theme : "auto");
  button.addEventListener("click", () => {
    const next = themes[(themes.indexOf(document.documentElement.dataset.theme) + 1) % themes.length];
    use(next);
    try {
      localStorage.setItem("theme", next);
    } catch { /* as above */ }
  });
  button.hidden = false;
}

chooseTheme();
const colours = JSON.parse(document.getElementById("colours").textContent);
const viewers = [...document.querySelectorAll(".viewer")].map((root) => new Viewer(root, colours));
const charts = [...document.querySelectorAll(".chart")].map((root, number) => new Chart(root, number));
listen([...viewers, ...charts]);
for (const button of document.querySelectorAll("button.open")) {
  const place = JSON.parse(button.querySelector("script").textContent);
  const viewer = viewers.find((it) => it.has(place));
  button.hidden = !viewer;
  button.addEventListener("click", () => viewer.open(place));
}
