"use strict";

const found = embedded("found");

function card(hit) {
  const address = hit.report && `${hit.report}#track=${hit.id}`;
  const title = `${hit.record} #${hit.id}`;
  const body = element("div", { className: "body" },
    element("h2", {}, address ? element("a", { href: address }, title) : title),
    element("p", { className: "numbers" }, `${hit.name} ${hit.score.toFixed(2)}`),
    element("p", { className: "small faint numbers" }, `${clock(hit.first)} to ${clock(hit.last)} in ${hit.video}`));
  const row = element("li", { className: "panel hit" });
  row.style.setProperty("--track", hit.color);
  if (hit.crop) {
    const picture = element("a", { className: "picture", href: address, tabIndex: -1 });
    picture.append(element("img", { src: hit.crop, alt: `${hit.name} in ${hit.video}` }));
    row.append(picture);
  } else {
    body.append(element("p", { className: "small faint" }, hit.report ? "no picture in its report" : "no report of this video yet"));
  }
  row.append(body);
  return row;
}

function filter() {
  const wanted = byId("name").value.trim().toLowerCase();
  const lowest = Number(byId("score").value);
  byId("score-value").value = lowest.toFixed(2);
  for (const hit of found.hits) {
    const text = `${hit.name} ${hit.record} ${hit.video}`.toLowerCase();
    hit.card.hidden = !(text.includes(wanted) && hit.score >= lowest);
  }
  const shown = found.hits.filter((hit) => !hit.card.hidden).length;
  byId("count").textContent = `${shown} of the best ${count(found.hits.length, "track")} of ${found.numTracks}`;
}

document.title = `${found.names.join(", ")}: ovvis find`;
byId("title").textContent = found.names.join(", ");
for (const hit of found.hits) hit.card = card(hit);
byId("hits").append(...found.hits.map((hit) => hit.card));
for (const id of ["name", "score"]) byId(id).addEventListener("input", filter);
filter();
