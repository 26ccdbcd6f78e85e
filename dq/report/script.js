// Tips on hovering, and a figure as one file: title, legend, panels side by side, and what was trained.
const NS = "http://www.w3.org/2000/svg", WIDTH = 340, GAP = 16;
const tip = document.body.appendChild(Object.assign(document.createElement("div"), { id: "tip", hidden: true }));
document.addEventListener("pointerover", (event) => {
  const mark = event.target.closest("[data-tip]");
  tip.hidden = !mark;
  if (mark) tip.textContent = mark.dataset.tip;
});
document.addEventListener("pointermove", (event) => {
  const right = event.clientX > innerWidth / 2;
  tip.style.left = right ? "auto" : `${event.clientX + 14}px`;
  tip.style.right = right ? `${innerWidth - event.clientX + 14}px` : "auto";
  tip.style.top = `${Math.min(event.clientY + 14, innerHeight - 60)}px`;
});

function element(name, attributes, text = "") {
  const made = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

function whole(figure) {
  const panels = [...figure.querySelectorAll("svg.panel")], columns = Math.min(3, panels.length);
  const heights = panels.map((panel) => panel.viewBox.baseVal.height), row = Math.max(...heights) + GAP;
  const width = Math.max(columns * (WIDTH + GAP) + GAP, 480), height = 84 + row * Math.ceil(panels.length / columns);
  const svg = element("svg", { xmlns: NS, width, height, viewBox: `0 0 ${width} ${height}`, color: "#1c1c1e",
                               "font-family": "system-ui, sans-serif" });
  svg.append(element("rect", { width, height, fill: "#ffffff" }));
  svg.append(element("text", { x: GAP, y: 24, "font-size": 15, "font-weight": 600, fill: "#1c1c1e" }, figure.dataset.title));
  let at = GAP;
  for (const entry of figure.querySelectorAll(".legend span")) {
    svg.append(element("rect", { x: at, y: 37, width: 14, height: 10, fill: entry.dataset.color }));
    svg.append(element("text", { x: at + 20, y: 46, "font-size": 12, fill: "#1c1c1e" }, entry.textContent));
    at += 40 + 7 * entry.textContent.length;
  }
  panels.forEach((panel, number) => {
    const copy = panel.cloneNode(true);
    const place = { x: GAP + (number % columns) * (WIDTH + GAP), y: 58 + row * Math.floor(number / columns),
                    width: WIDTH, height: heights[number] };
    for (const [key, value] of Object.entries(place)) copy.setAttribute(key, value);
    svg.append(copy);
  });
  svg.append(element("text", { x: GAP, y: height - 10, "font-size": 11, fill: "#66666c" }, document.body.dataset.about));
  return { svg, width, height };
}

function save(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function draw({ svg, width, height }, name) {
  const image = new Image(), canvas = Object.assign(document.createElement("canvas"), { width: 2 * width, height: 2 * height });
  image.onload = () => {
    canvas.getContext("2d").drawImage(image, 0, 0, 2 * width, 2 * height);
    canvas.toBlob((blob) => save(blob, name));
  };
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(svg))}`;
}

for (const button of document.querySelectorAll("button[data-save]")) {
  button.addEventListener("click", () => {
    const figure = button.closest("figure"), made = whole(figure), name = `${document.body.dataset.study}-${figure.id}`;
    if (button.dataset.save === "png") return draw(made, `${name}.png`);
    save(new Blob([new XMLSerializer().serializeToString(made.svg)], { type: "image/svg+xml" }), `${name}.svg`);
  });
}
