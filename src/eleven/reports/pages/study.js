"use strict";
(() => {
  const CHUNK = 10;
  const SYMBOLS = { perfect: "★", good: "✓", miss: "✕" };
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("contact-data").textContent);
  const sheet = byId("sheet"), rows = byId("rows"), viewer = byId("viewer");
  const still = [...rows.children];
  let shown = [], place = [0, 0], watch = null;

  const make = (name, className, text) => {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const address = (file) => file.split("/").map(encodeURIComponent).join("/");
  const small = (shot, arm) => {
    const letters = data.thumbnails[shot][arm];
    return letters ? `data:image/webp;base64,${letters}` : address(data.cells[shot][arm][0]);
  };

  function picture(shot, arm) {
    const [, mark, told] = data.cells[shot][arm];
    const button = make("button", `picture ${mark}`);
    button.type = "button";
    button.dataset.shot = shot;
    button.dataset.arm = arm;
    button.title = `${data.arms[arm][0]}: ${told}`;
    const image = make("img");
    image.alt = button.title;
    image.decoding = "async";
    image.loading = "lazy";
    image.src = small(shot, arm);
    const badge = make("span", `mark ${mark}`, SYMBOLS[mark]);
    badge.setAttribute("aria-hidden", "true");
    button.append(image, badge);
    return button;
  }

  function row(shot) {
    const [prompt, seed] = data.shots[shot];
    const made = make("div", "row"), about = make("div", "about");
    const words = make("span", "words", data.prompts[prompt]);
    words.title = data.prompts[prompt];
    about.append(words, make("small", "", `seed ${seed}`));
    made.append(about);
    data.cells[shot].forEach((one, arm) => {
      const cell = make("div", "cell");
      if (one) cell.append(picture(shot, arm));
      made.append(cell);
    });
    return made;
  }

  function draw() {
    if (watch) watch.disconnect();
    const height = parseFloat(getComputedStyle(sheet).getPropertyValue("--row"));
    watch = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        if (!isIntersecting) target.replaceChildren();
        else if (!target.childElementCount) target.append(...target.shots.map(row));
      }
    }, { root: sheet, rootMargin: "800px 0px" });
    const chunks = [];
    for (let start = 0; start < shown.length; start += CHUNK) {
      const chunk = make("div");
      chunk.shots = shown.slice(start, start + CHUNK);
      chunk.style.height = `${height * chunk.shots.length}px`;
      if (!start) chunk.append(...chunk.shots.map(row));
      chunks.push(chunk);
      watch.observe(chunk);
    }
    rows.replaceChildren(...(chunks.length ? chunks : [make("p", "empty", "No shot is like this.")]));
  }

  function matches(shot, show, prompt) {
    if (prompt !== "" && data.shots[shot][0] !== Number(prompt)) return false;
    const marks = data.cells[shot].map((one) => one && one[1]);
    if (show === "differ") return new Set(marks.filter(Boolean)).size > 1;
    return show !== "missed" || marks[data.winner] === "miss";
  }

  function filter() {
    const show = document.querySelector("input[name=show]:checked").value, prompt = byId("prompt").value;
    shown = data.shots.map((_, shot) => shot).filter((shot) => matches(shot, show, prompt));
    byId("count").textContent = `${shown.length.toLocaleString("en")} of ${data.shots.length.toLocaleString("en")} shots`;
    sheet.scrollTop = 0;
    draw();
  }

  function enlarge(shot, arm) {
    place = [shot, arm];
    const [file, mark, told] = data.cells[shot][arm], [prompt, seed] = data.shots[shot];
    const image = byId("viewer-picture");
    image.onerror = () => { image.onerror = null; image.src = small(shot, arm); };
    image.src = address(file);
    image.alt = `${data.arms[arm][0]}: ${told}`;
    byId("viewer-title").textContent = `${SYMBOLS[mark]} ${data.arms[arm][0]}${data.arms[arm][1] ? ` (${data.arms[arm][1]})` : ""}`;
    byId("viewer-told").textContent = `${told} · ${data.prompts[prompt]} · seed ${seed}`;
    byId("viewer-file").href = address(file);
    const strip = data.cells[shot].map((one, other) => one && picture(shot, other)).filter(Boolean);
    strip.forEach((one) => one.classList.toggle("here", Number(one.dataset.arm) === arm));
    byId("viewer-strip").replaceChildren(...strip);
    if (!viewer.open) viewer.showModal();
  }

  function move(down, right) {
    let at = shown.indexOf(place[0]), arm = place[1];
    do {
      at += down;
      arm += right;
      if (!(at in shown) || !(arm in data.arms)) return;
    } while (!data.cells[shown[at]][arm]);
    enlarge(shown[at], arm);
  }

  document.addEventListener("click", (event) => {
    const chosen = event.target.closest("button.picture");
    if (chosen) enlarge(Number(chosen.dataset.shot), Number(chosen.dataset.arm));
    else if (event.target === viewer || event.target.id === "close") viewer.close();
    else if (event.target.dataset.move) move(...event.target.dataset.move.split(",").map(Number));
  });
  const ARROWS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  viewer.addEventListener("keydown", (event) => {
    if (!(event.key in ARROWS)) return;
    event.preventDefault();
    move(...ARROWS[event.key]);
  });

  for (const button of document.querySelectorAll(".copy")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      const code = button.previousElementSibling;
      getSelection().selectAllChildren(code);
      const done = (word) => { button.textContent = word; setTimeout(() => { button.textContent = "Copy"; }, 1500); };
      const old = () => done(document.execCommand("copy") ? "Copied" : "Press Ctrl+C");
      if (navigator.clipboard) navigator.clipboard.writeText(code.textContent).then(() => done("Copied"), old);
      else old();
    });
  }

  data.prompts.forEach((prompt, at) => {
    const option = make("option", "", prompt);
    option.value = at;
    byId("prompt").append(option);
  });
  byId("filters").hidden = false;
  byId("filters").addEventListener("change", filter);
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  addEventListener("beforeprint", () => { watch.disconnect(); rows.replaceChildren(...still); });
  addEventListener("afterprint", draw);
  matchMedia("(max-width: 640px)").addEventListener("change", draw);
  filter();
})();
