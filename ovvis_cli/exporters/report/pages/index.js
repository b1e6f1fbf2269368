"use strict";

const videos = embedded("entries");

function poster(video) {
  const picture = element(video.report ? "a" : "div", { className: "poster" });
  if (video.report) Object.assign(picture, { href: video.report, title: `Report of ${video.video}`, tabIndex: -1 });
  if (!video.poster?.image) return picture;
  const colors = new Map(video.tracks.map((track) => [track.id, track.color]));
  const outlines = svgElement("svg", { viewBox: `0 0 ${video.width} ${video.height}`, "aria-hidden": "true" });
  for (const [id, , , , d] of video.poster.outlines) {
    outlines.append(svgElement("path", { d, fill: colors.get(id), stroke: colors.get(id) }));
  }
  picture.append(element("img", { src: video.poster.image, alt: "" }), outlines);
  return picture;
}

function crop(video, track) {
  const title = `${track.label} #${track.id}, score ${track.score.toFixed(2)}`;
  const link = element("a", { href: `${video.report}#track=${track.id}`, title });
  link.setAttribute("aria-label", title);
  link.style.setProperty("--track", track.color);
  link.append(element("img", { src: track.crop, alt: "" }));
  return link;
}

function card(video) {
  const title = video.report ? element("a", { href: video.report }, video.folder) : video.folder;
  const body = element("div", { className: "body" }, element("h2", {}, title));
  const row = element("li", { className: "panel video" });
  if (video.error) {
    body.append(element("p", { className: "small" }, video.error));
    return row.append(body), row;
  }
  const names = Object.entries(video.names).map(([name, number]) => (number > 1 ? `${number} x ${name}` : name));
  const length = video.length === null ? count(video.numFrames, "frame") : clock(video.length);
  body.append(
    element("p", { className: "small" }, names.join(", ") || "nothing found"),
    element("p", { className: "small faint" }, [length, video.model].join(" · ")));
  if (!video.report) body.append(element("p", { className: "small faint" }, "no report yet"));
  const crops = element("div", { className: "crops" });
  for (const track of video.tracks) {
    if (track.crop) crops.append((track.link = crop(video, track)));
  }
  body.append(crops);
  return row.append(poster(video), body), row;
}

/** Show the videos with a track that passes the filters, and of these only such tracks. */
function filter() {
  const wanted = byId("name").value.trim().toLowerCase();
  const lowest = Number(byId("score").value);
  byId("score-value").value = lowest.toFixed(2);
  let numTracks = 0;
  for (const video of videos) {
    const isNamed = video.folder.toLowerCase().includes(wanted);
    const passing = (video.tracks ?? []).filter((track) => {
      const passes = track.score >= lowest && (isNamed || track.label.toLowerCase().includes(wanted));
      if (track.link) track.link.hidden = !passes;
      return passes;
    });
    numTracks += passing.length;
    video.card.hidden = !(passing.length || (isNamed && lowest === 0));
  }
  const shown = videos.filter((video) => !video.card.hidden).length;
  byId("count").textContent = `${shown} of ${count(videos.length, "video")}, ${count(numTracks, "track")}`;
}

const orders = {
  folder: (a, b) => a.folder.localeCompare(b.folder, undefined, { numeric: true }),
  tracks: (a, b) => (b.tracks?.length ?? 0) - (a.tracks?.length ?? 0) || orders.folder(a, b),
  best: (a, b) => (b.tracks?.[0]?.score ?? 0) - (a.tracks?.[0]?.score ?? 0) || orders.folder(a, b),
};

function order() {
  byId("videos").append(...videos.sort(orders[byId("order").value]).map((video) => video.card));
}

for (const video of videos) video.card = card(video);
for (const id of ["name", "score"]) byId(id).addEventListener("input", filter);
byId("order").addEventListener("change", order);
order();
filter();
