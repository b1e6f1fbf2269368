"use strict";

const byId = (id) => document.getElementById(id);

/** The JSON value of a script element of this page. */
const embedded = (id) => JSON.parse(byId(id).textContent);

/** An element with properties and children; text is never read as HTML. */
function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function svgElement(name, attributes = {}) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/** Minutes, seconds and tenths: 0:04.9 */
function clock(seconds) {
  const tenths = Math.round(seconds * 10);
  const minutes = Math.floor(tenths / 600);
  return `${minutes}:${((tenths % 600) / 10).toFixed(1).padStart(4, "0")}`;
}

const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;
