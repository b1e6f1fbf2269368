"use strict";

// frames: [time, [[track, score, x, y, path], ...]] of each analysed frame, in order; times are those of the
// source. The video of the page starts at summary.start.
const summary = embedded("summary");
const frames = embedded("frames");
const video = byId("video");
const canvas = byId("canvas");
const tracks = new Map(summary.tracks.map((track) => [track.id, { ...track, on: true, passes: true }]));
const startTime = frames[0][0];
const endTime = summary.end;
let currentTime = startTime;
let selected = null;

// ---- video ----

/** The video's bytes, from the base64 pieces in the page. */
function videoAddress() {
  const pieces = [...document.querySelectorAll("script.video")].map((piece) => {
    const bytes = Uint8Array.from(atob(piece.textContent), (letter) => letter.charCodeAt(0));
    piece.remove();
    return bytes;
  });
  return URL.createObjectURL(new Blob(pieces, { type: "video/mp4" }));
}

function seek(time) {
  const inside = Math.min(Math.max(time, startTime), endTime);
  video.currentTime = inside - summary.start + 0.001; // inside the frame, not at its border
  show(inside);
}

/** Index of the frame that is shown at a time. */
function frameAt(time) {
  let low = 0;
  let high = frames.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (frames[middle][0] <= time + 0.0005) low = middle;
    else high = middle - 1;
  }
  return low;
}

function step(number) {
  video.pause();
  const index = Math.min(Math.max(frameAt(currentTime) + number, 0), frames.length - 1);
  seek(frames[index][0]);
}

function togglePlay() {
  if (video.paused) video.play().catch(() => {}); // pausing at once rejects the promise of playing
  else video.pause();
}

/** Follow the video: call `show` for every picture that it presents. */
function follow() {
  if (video.requestVideoFrameCallback) {
    video.requestVideoFrameCallback((_, picture) => {
      show(picture.mediaTime + summary.start);
      follow();
    });
  } else {
    requestAnimationFrame(() => {
      if (!video.paused) show(video.currentTime + summary.start);
      follow();
    });
  }
}

// ---- drawing ----

function show(time) {
  currentTime = time;
  byId("seek").value = time;
  byId("clock").value = `${clock(time)} / ${clock(endTime)}`;
  byId("list").style.setProperty("--now", (time - startTime) / (endTime - startTime || 1));
  draw();
}

function draw() {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = canvas.clientWidth * ratio;
  canvas.height = canvas.clientHeight * ratio;
  const context = canvas.getContext("2d");
  const [scaleX, scaleY] = [canvas.width / summary.width, canvas.height / summary.height];
  context.setTransform(scaleX, 0, 0, scaleY, scaleX / 2, scaleY / 2); // outlines join the centres of pixels
  const shown = frames[frameAt(currentTime)][1].filter(([id]) => isShown(tracks.get(id)));
  const lineWidth = (1.8 * ratio) / Math.sqrt(scaleX * scaleY);
  for (const [id, , , , path] of shown) drawOutline(context, tracks.get(id), new Path2D(path), lineWidth);
  context.setTransform(1, 0, 0, 1, 0, 0);
  if (!byId("labels").checked) return;
  for (const [id, , x, y] of shown) drawLabel(context, tracks.get(id), x * scaleX, y * scaleY, ratio);
}

const isShown = (track) => track.on && track.passes;

function drawOutline(context, track, path, lineWidth) {
  if (byId("masks").checked) {
    context.globalAlpha = track.id === selected ? 0.6 : 0.4;
    context.fillStyle = track.color;
    context.fill(path, "evenodd");
    context.globalAlpha = 1;
  }
  if (byId("outlines").checked) {
    context.lineJoin = context.lineCap = "round";
    context.lineWidth = lineWidth * (track.id === selected ? 3.5 : 2);
    context.strokeStyle = "#000a";
    context.stroke(path);
    context.lineWidth = lineWidth * (track.id === selected ? 2.4 : 1);
    context.strokeStyle = track.color;
    context.stroke(path);
  }
}

function drawLabel(context, track, x, y, ratio) {
  const text = `${track.label} #${track.id}`;
  context.font = `600 ${13 * ratio}px system-ui, sans-serif`;
  const [width, height] = [context.measureText(text).width + 12 * ratio, 20 * ratio];
  const left = Math.min(Math.max(x, 0), canvas.width - width);
  const top = y >= height ? y - height : y;
  context.fillStyle = track.color;
  context.beginPath();
  context.roundRect(left, top, width, height, 4 * ratio);
  context.fill();
  context.fillStyle = "#101010";
  context.textBaseline = "middle";
  context.fillText(text, left + 6 * ratio, top + height / 2);
}

// ---- list of tracks ----

/** The uninterrupted spans of each track: id -> [[start, end], ...] */
function spansOfTracks() {
  const spans = new Map([...tracks.keys()].map((id) => [id, []]));
  frames.forEach(([time, instances], index) => {
    const end = index + 1 < frames.length ? frames[index + 1][0] : endTime;
    for (const [id] of instances) {
      const own = spans.get(id);
      const last = own[own.length - 1];
      if (last && last[1] === time) last[1] = end;
      else own.push([time, end]);
    }
  });
  return spans;
}

function timeline(spans) {
  const svg = svgElement("svg", { viewBox: "0 0 1 1", preserveAspectRatio: "none", "aria-hidden": "true" });
  const length = endTime - startTime || 1;
  for (const [start, end] of spans) {
    const width = Math.max((end - start) / length, 0.002);
    svg.append(svgElement("rect", { x: (start - startTime) / length, y: 0.15, width, height: 0.7 }));
  }
  const bar = element("div", { className: "timeline" }, svg);
  bar.addEventListener("click", (event) => {
    const box = bar.getBoundingClientRect();
    seek(startTime + ((event.clientX - box.left) / box.width) * length);
  });
  return bar;
}

function runnersUp(track) {
  const named = track.runnerUp.map(({ name, score }) => `${name} ${score.toFixed(2)}`);
  return `runner-up: ${named.join(", ") || "none"}`;
}

function trackRow(track, spans) {
  const title = `${track.label} #${track.id}`;
  const box = element("input", { type: "checkbox", checked: true });
  box.setAttribute("aria-label", `Show ${title}`);
  box.addEventListener("change", () => switchTrack(track, box.checked));
  const crop = element("button", { type: "button", className: "crop", title: `Go to the best frame of ${title}` });
  crop.setAttribute("aria-label", crop.title);
  if (track.crop) crop.append(element("img", { src: track.crop, alt: "" }));
  crop.addEventListener("click", () => select(track));
  const score = `score ${track.score.toFixed(2)}, object ${track.objectScore.toFixed(2)}`;
  const span = `${clock(track.first)} to ${clock(track.last)}, ${count(track.numFrames, "frame")}`;
  const best = track.bestTime === null ? "" : `, best at ${clock(track.bestTime)} (${track.bestScore.toFixed(2)})`;
  const text = element("div", {},
    element("div", { className: "name" }, title),
    element("div", { className: "small numbers" }, score),
    element("div", { className: "small numbers faint" }, runnersUp(track)),
    element("div", { className: "small numbers faint" }, span + best));
  const row = element("li", { className: "track" }, box, crop, text, timeline(spans));
  row.style.setProperty("--track", track.color);
  Object.assign(track, { box, row });
  return row;
}

function switchTrack(track, on) {
  track.on = track.box.checked = on;
  draw();
}

/** Select a track and go to its best frame. */
function select(track) {
  selected = track.id;
  for (const other of tracks.values()) other.row.setAttribute("aria-current", other.id === selected);
  switchTrack(track, true);
  video.pause();
  seek(track.bestTime ?? track.first);
}

function filter() {
  const wanted = byId("name").value.trim().toLowerCase();
  const lowest = Number(byId("score").value);
  byId("score-value").value = lowest.toFixed(2);
  for (const track of tracks.values()) {
    track.passes = `${track.label} #${track.id}`.toLowerCase().includes(wanted) && track.score >= lowest;
    track.row.hidden = !track.passes;
  }
  const num = [...tracks.values()].filter((track) => track.passes).length;
  byId("count").textContent = num === tracks.size ? count(num, "track") : `${num} of ${count(tracks.size, "track")}`;
  draw();
}

// ---- page ----

function describe() {
  document.title = `${summary.video}: ovvis report`;
  byId("title").textContent = summary.video;
  const size = `${summary.width} x ${summary.height}`;
  const facts = [count(tracks.size, "track"), count(summary.numFrames, "analysed frame"), size, summary.model];
  byId("facts").textContent = facts.join(" · ");
  const notes = summary.notFound.map(({ name, score }) => `not found: ${name} (best score ${score.toFixed(2)})`);
  if (summary.numUnnamed) notes.push(`not shown: ${count(summary.numUnnamed, "track")} with none of the asked names`);
  if (summary.damage) notes.push(summary.damage);
  byId("notes").textContent = notes.join(" · ");
  const settings = {
    video: summary.video,
    names: summary.names.join(", "),
    model: summary.model,
    "weights (SHA-256)": summary.weights,
    ...summary.settings,
    "written by": `ovvis ${summary.ovvis}`,
  };
  for (const [name, value] of Object.entries(settings)) {
    byId("settings").append(element("dt", {}, name), element("dd", {}, value === null ? "none" : String(value)));
  }
}

function onKey(event) {
  const { key, target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || target.matches("input[type=search], select")) return;
  if (key === " " && target.matches("button, summary, input[type=checkbox]")) return; // it presses them
  if (key.startsWith("Arrow") && target.matches("#score")) return;
  const actions = {
    " ": togglePlay,
    ArrowLeft: () => step(-1),
    ArrowRight: () => step(1),
    m: () => byId("masks").click(),
    o: () => byId("outlines").click(),
    l: () => byId("labels").click(),
  };
  const action = actions[key.length === 1 ? key.toLowerCase() : key];
  if (!action) return;
  event.preventDefault();
  action();
}

/** `#track=3` opens the page at the best frame of a track. */
function openAtAddress() {
  const wanted = tracks.get(Number(new URLSearchParams(location.hash.slice(1)).get("track")));
  if (wanted) select(wanted);
}

/** Width : height of the picture as it is shown; pixels need not be square. */
function setAspect(aspect) {
  document.querySelector(".picture").style.setProperty("--aspect", aspect);
}

function connect() {
  Object.assign(byId("seek"), { min: startTime, max: endTime });
  byId("play").addEventListener("click", togglePlay);
  byId("back").addEventListener("click", () => step(-1));
  byId("forward").addEventListener("click", () => step(1));
  byId("seek").addEventListener("input", (event) => seek(Number(event.target.value)));
  byId("speed").addEventListener("change", (event) => (video.playbackRate = Number(event.target.value)));
  for (const id of ["masks", "outlines", "labels"]) byId(id).addEventListener("change", draw);
  for (const id of ["name", "score"]) byId(id).addEventListener("input", filter);
  byId("all").addEventListener("click", () => tracks.forEach((track) => switchTrack(track, true)));
  byId("none").addEventListener("click", () => tracks.forEach((track) => switchTrack(track, false)));
  for (const event of ["play", "pause"]) {
    video.addEventListener(event, () => (byId("play").textContent = video.paused ? "Play" : "Pause"));
  }
  video.addEventListener("loadedmetadata", () => setAspect(video.videoWidth / video.videoHeight));
  video.addEventListener("error", () => (byId("notes").textContent = "this browser cannot play H.264 video"));
  document.addEventListener("keydown", onKey);
  window.addEventListener("hashchange", openAtAddress);
  new ResizeObserver(draw).observe(canvas);
}

describe();
connect();
setAspect(summary.width / summary.height);
const spans = spansOfTracks();
byId("list").append(...[...tracks.values()].map((track) => trackRow(track, spans.get(track.id))));
filter();
video.src = videoAddress();
show(startTime);
openAtAddress();
follow();
