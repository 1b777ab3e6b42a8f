"use strict";
// Every text of an item or an answer goes into the page by textContent: none is ever read as markup.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const PAGE = 50, SHOWN = 300;
  const form = document.getElementById("filters");
  const body = document.getElementById("rows");
  const head = document.getElementById("head");
  const count = document.getElementById("count");
  const models = document.getElementById("models");

  const make = (tag, className, text) => {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const digits = new Intl.NumberFormat("en", { maximumSignificantDigits: 2 });
  const money = (usd) => usd === null ? "cost unknown" : "$" + digits.format(usd);
  const known = (draws) => draws.filter((draw) => draw.score !== null).map((draw) => draw.score);
  const mean = (draws) => {
    const scores = known(draws);
    return scores.length ? scores.reduce((a, b) => a + b, 0) / scores.length : null;
  };
  const draws = (item, cell) => data.answers[cell][item];
  const chosen = () => data.cells.map((_, cell) => cell).filter((cell) => !hidden.has(cell));
  const hidden = new Set();

  const texts = (item) => {
    const about = data.items[item];
    const answers = data.cells.flatMap((_, cell) => draws(item, cell).map((draw) => draw.answer || draw.error || ""));
    return [about.id, about.category || "", about.expected || "", ...Object.values(about.fields), ...answers];
  };
  const passes = (item, wanted) => {
    const scores = chosen().map((cell) => mean(draws(item, cell)));
    const given = scores.filter((score) => score !== null);
    if (wanted.different && new Set(given).size < 2) return false;
    if (wanted.failing && !given.some((score) => score < 1)) return false;
    if (wanted.missing && !chosen().some((cell) => draws(item, cell).some((draw) => draw.score === null))) return false;
    if (wanted.category && (data.items[item].category || "") !== wanted.category) return false;
    return !wanted.q || texts(item).some((text) => text.toLowerCase().includes(wanted.q.toLowerCase()));
  };

  const long = (text) => {
    if (text.length <= SHOWN) return make("div", "text", text);
    const details = make("details");
    details.append(make("summary", "", text.slice(0, SHOWN) + " … (" + text.length.toLocaleString("en") + " characters)"));
    details.append(make("div", "text", text));
    return details;
  };
  const badge = (draw) => {
    if (draw.score === null) return make("span", "grade missing", draw.answer === null ? "missing" : "no grade");
    const [name, word] = draw.score === 1 ? ["right", "right"] : draw.score === 0 ? ["wrong", "wrong"] : ["partly", "partly"];
    return make("span", "grade " + name, word === "partly" ? "score " + draw.score.toFixed(2) : word);
  };
  const answered = (item, cell) => {
    const td = make("td");
    const all = draws(item, cell);
    if (all.length > 1) {
      const score = mean(all);
      td.append(make("div", "small", "mean of " + known(all).length + " answers: " + (score === null ? "unknown" : score.toFixed(2))));
    }
    for (const draw of all) {
      td.append(badge(draw));
      if (draw.answer !== null) td.append(long(draw.answer));
      if (draw.error) td.append(make("div", "small text", draw.error));
      if (draw.note) td.append(make("div", "small text", draw.note));
      const ms = draw.ms === null ? "" : ", " + Math.round(draw.ms).toLocaleString("en") + " ms";
      if (draw.answer !== null) td.append(make("div", "small", money(draw.usd) + ms));
    }
    return td;
  };
  const described = (item) => {
    const about = data.items[item];
    const th = make("th");
    th.scope = "row";
    th.append(make("div", "id", about.id));
    if (about.category) th.append(make("div", "small", about.category));
    for (const [name, text] of Object.entries(about.fields)) {
      th.append(make("div", "small", name));
      th.append(long(text));
    }
    if (about.expected !== null) {
      th.append(make("div", "small", "expected"));
      th.append(long(about.expected));
    }
    return th;
  };

  const read = () => {
    const given = new URLSearchParams(location.hash.slice(1));
    return {
      different: given.get("different") === "1", failing: given.get("failing") === "1",
      missing: given.get("missing") === "1", category: given.get("category") || "",
      q: given.get("q") || "", page: Math.max(1, parseInt(given.get("page") || "1", 10) || 1),
    };
  };
  const write = (wanted) => {
    const params = new URLSearchParams();
    for (const name of ["different", "failing", "missing"]) if (wanted[name]) params.set(name, "1");
    if (wanted.category) params.set("category", wanted.category);
    if (wanted.q) params.set("q", wanted.q);
    if (wanted.page > 1) params.set("page", String(wanted.page));
    history.replaceState(null, "", "#" + params.toString());
    draw();
  };

  const draw = () => {
    const wanted = read();
    for (const name of ["different", "failing", "missing"]) form.elements[name].checked = wanted[name];
    form.elements.category.value = wanted.category;
    if (document.activeElement !== form.elements.q) form.elements.q.value = wanted.q;
    const found = data.items.map((_, item) => item).filter((item) => passes(item, wanted));
    const pages = Math.max(1, Math.ceil(found.length / PAGE));
    const page = Math.min(wanted.page, pages);
    count.textContent = found.length.toLocaleString("en") + " of " + data.items.length.toLocaleString("en") +
      " items, page " + page + " of " + pages;
    form.elements.back.disabled = page === 1;
    form.elements.next.disabled = page === pages;
    const first = make("th", "", "item");
    first.scope = "col";
    head.replaceChildren(first, ...chosen().map((cell) => {
      const th = make("th", "", data.cells[cell] + (cell === data.baseline ? " (baseline)" : ""));
      th.scope = "col";
      return th;
    }));
    body.replaceChildren(...found.slice((page - 1) * PAGE, page * PAGE).map((item) => {
      const tr = make("tr");
      tr.append(described(item), ...chosen().map((cell) => answered(item, cell)));
      return tr;
    }));
    document.getElementById("none").hidden = found.length > 0;
  };

  const anyone = make("option", "", "every category");
  anyone.value = "";
  const categories = [...new Set(data.items.map((item) => item.category).filter(Boolean))];
  form.elements.category.replaceChildren(anyone, ...categories.map((name) => {
    const option = make("option", "", name);
    option.value = name;
    return option;
  }));
  data.cells.forEach((name, cell) => {
    const label = make("label");
    const box = make("input");
    box.type = "checkbox";
    box.checked = true;
    box.addEventListener("change", () => { box.checked ? hidden.delete(cell) : hidden.add(cell); draw(); });
    label.append(box, " " + name);
    models.append(label);
  });
  for (const name of ["different", "failing", "missing"])
    form.elements[name].addEventListener("change", (event) => write({ ...read(), [name]: event.target.checked, page: 1 }));
  form.elements.category.addEventListener("change", (event) => write({ ...read(), category: event.target.value, page: 1 }));
  form.elements.q.addEventListener("input", (event) => write({ ...read(), q: event.target.value, page: 1 }));
  form.elements.back.addEventListener("click", () => write({ ...read(), page: read().page - 1 }));
  form.elements.next.addEventListener("click", () => write({ ...read(), page: read().page + 1 }));
  form.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", draw);
  draw();
})();
