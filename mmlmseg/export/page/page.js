// The page: asks the exported model in the browser, and shows what it says.
//
// Beside it lie the model with its description (docs/export.md), page.json (title, label_spaces, names, examples), and
// where text is an input of the model rows.bin: the text row of each name, float32, one after the other.
import * as ort from './runtime/ort.wasm.bundle.min.mjs';
import { listed, nearest } from './names.js';
import { best, fittedSize, planes } from './pixels.js';

const MOST_PIXELS = 24e6; // a larger image would take the memory of the tab
const SHOWN_SIDE = 1600; // of the copy that is shown; the viewer wants its layers as large
const OWN = 'your classes';
const $ = (id) => document.getElementById(id);
const viewer = mountViewer($('viewer'), () => {});
let model, page, session, picture;

async function start() {
  say('Loading the model …');
  ort.env.wasm.wasmPaths = { wasm: new URL('./runtime/ort-wasm-simd-threaded.wasm', import.meta.url).href };
  ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency) : 1;
  [model, page] = await Promise.all(['model.json', 'page.json'].map(async (file) => (await fetch(file)).json()));
  if (page.names) {
    page.places = new Map(page.names.map((name, i) => [name, i]));
    page.rows = new Float32Array(await (await fetch('rows.bin')).arrayBuffer());
    page.width = page.rows.length / page.names.length;
  }
  session = await ort.InferenceSession.create(model.file, { executionProviders: ['wasm'] });
  $('title').textContent = document.title = page.title;
  page.label_spaces.forEach(({ name, classes }, i) => {
    const box = Object.assign(document.createElement('input'), { type: 'checkbox', value: name, checked: i === 0 });
    const label = document.createElement('label');
    label.append(box, name, Object.assign(document.createElement('small'), { textContent: classes.length }));
    $('spaces').append(label);
  });
  $('typed').hidden = !page.names;
  for (const file of page.examples) {
    const image = Object.assign(new Image(), { src: `examples/${file}`, alt: file });
    image.onclick = () => open(image.src);
    $('examples').append(image);
  }
  say('Choose an image.');
  document.body.dataset.ready = 'model';
}

async function open(address) {
  const blob = await (await fetch(address)).blob();
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob, { colorSpaceConversion: 'none' }); // values as in the file
  } catch {
    return say('This file is no image that the browser can read.');
  }
  const { width, height } = bitmap;
  if (width * height > MOST_PIXELS)
    return say(`The image has ${width} × ${height} pixels; at most ${MOST_PIXELS / 1e6} million can be shown here.`);
  const canvas = Object.assign(document.createElement('canvas'), { width, height });
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  picture = { width, height, data: context.getImageData(0, 0, width, height).data, ...shownCopy(canvas) };
  $('files').replaceChildren();
  viewer.show({ image: picture.shown, layers: [] });
  say('');
  ready();
}

function shownCopy(canvas) {
  const factor = Math.min(1, SHOWN_SIDE / Math.max(canvas.width, canvas.height));
  const [shownWidth, shownHeight] = [canvas.width, canvas.height].map((side) => Math.max(1, Math.round(side * factor)));
  const copy = Object.assign(document.createElement('canvas'), { width: shownWidth, height: shownHeight });
  copy.getContext('2d').drawImage(canvas, 0, 0, shownWidth, shownHeight);
  return { shown: copy.toDataURL('image/jpeg', 0.92), shownWidth, shownHeight };
}

// What is asked, a label space each: name, classes, colours, and the rows [K, C] of text. A name without a row is offered
// its nearest ones, and nothing is asked.
function questions() {
  const asked = page.label_spaces.filter(({ name }) => $('spaces').querySelector(`input[value="${name}"]`).checked);
  const typed = page.names ? listed($('classes').value) : [];
  const unknown = typed.filter((name) => !page.places.has(name));
  $('unknown').replaceChildren(...unknown.map(offer));
  if (unknown.length) return [];
  if (typed.length) asked.push({ name: OWN, classes: typed, names: typed, palette: typed.map((_, i) => colour(i)) });
  return asked.map((space) => ({ ...space, rows: page.names && rowsOf(space.names) }));
}

function rowsOf(names) {
  const rows = new Float32Array(names.length * page.width);
  names.forEach((name, k) => {
    const from = page.places.get(name) * page.width;
    rows.set(page.rows.subarray(from, from + page.width), k * page.width);
  });
  return rows;
}

function offer(name) {
  const near = nearest(name, page.names);
  const line = document.createElement('div');
  line.append(`“${name}” is not known here.`, near.length ? ' Instead:' : ' Nothing is near it; leave it out.');
  for (const other of near) {
    const button = Object.assign(document.createElement('button'), { type: 'button', textContent: other });
    button.onclick = (event) => {
      event.preventDefault(); // the label around it would take the click
      $('classes').value = listed($('classes').value).map((own) => (own === name ? other : own)).join(', ');
      questions();
    };
    line.append(button);
  }
  return line;
}

// Hues by the golden angle, light and dark in turn: neighbours of a list are far apart.
function colour(i) {
  const hue = (i * 137.508) % 360;
  const light = i % 2 ? 0.42 : 0.6;
  const channel = (n) => {
    const k = (n + hue / 30) % 12;
    return Math.round(255 * (light - 0.65 * Math.min(light, 1 - light) * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return [channel(0), channel(8), channel(4)];
}

async function run() {
  const asked = questions();
  if (!asked.length) return say('Choose a label space, or type classes.');
  $('run').disabled = true;
  say('Segmenting …');
  await new Promise((done) => setTimeout(done, 20)); // lets the words appear
  try {
    const began = performance.now();
    const [w, h] = fittedSize(picture.width, picture.height, model.inputs.images.steps);
    const images = new ort.Tensor('float32', planes(picture.data, picture.width, picture.height, w, h), [1, 3, h, w]);
    const layers = [];
    for (const space of asked) layers.push(await answer(space, images, w, h));
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    $('files').replaceChildren(...layers.map(link).filter(Boolean));
    await viewer.show({ image: picture.shown, layers });
    say(`${w} × ${h} pixels in ${seconds} s`);
    document.body.dataset.ready = 'answer';
  } catch (error) {
    say(`The model could not run: ${error.message}`);
    throw error;
  } finally {
    ready();
  }
}

// A layer of the viewer.
async function answer(space, images, w, h) {
  const count = space.classes.length;
  const feeds = { images };
  if (space.rows) feeds.rows = new ort.Tensor('float32', space.rows, [count, page.width]);
  const outputs = await session.run(feeds);
  const scores = outputs[model.label_spaces[0].outputs.scores].data; // [1, K, h, w]
  const { map, values } = best(scores, count, w * h);
  const counts = new Float64Array(count);
  const sums = new Float64Array(count);
  map.forEach((k, i) => {
    counts[k] += 1;
    sums[k] += Math.min(values[i], 1);
  });
  const seen = [...counts.keys()].filter((k) => counts[k]);
  const number = new Map(seen.map((k, i) => [k, i + 1]));
  return {
    space: space.name,
    entries: seen.map((k) => ({
      name: space.classes[k],
      colour: `#${space.palette[k].map((value) => value.toString(16).padStart(2, '0')).join('')}`,
      score: sums[k] / counts[k],
      share: counts[k] / map.length,
      also: [],
    })),
    ids: painted(picture.shownWidth, picture.shownHeight, (i) => {
      const place = seenAt(i, w, h);
      const entry = number.get(map[place]);
      return [entry % 256, entry >> 8, Math.round(255 * Math.min(values[place], 1))];
    }),
    queries: painted(1, 1, () => [0, 0, 0]),
    file: count <= 256 && painted(w, h, (i) => [map[i], map[i], map[i]]), // a grey value tells no more classes apart
  };
}

// The pixel of the answer [h, w] under a pixel of the copy that is shown.
function seenAt(i, w, h) {
  const { shownWidth, shownHeight } = picture;
  const column = Math.floor(((i % shownWidth) * w) / shownWidth);
  const row = Math.floor((Math.floor(i / shownWidth) * h) / shownHeight);
  return row * w + column;
}

// A PNG as a data URL.
function painted(width, height, colourOf) {
  const canvas = Object.assign(document.createElement('canvas'), { width, height });
  const pixels = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) pixels.data.set([...colourOf(i), 255], 4 * i);
  canvas.getContext('2d').putImageData(pixels, 0, 0);
  return canvas.toDataURL('image/png');
}

function link({ space, file }) {
  if (!file) return null;
  return Object.assign(document.createElement('a'), { href: file, download: `${space}.png`, textContent: `class ids of ${space} (PNG)` });
}

const ready = () => ($('run').disabled = !(session && picture));
const say = (words) => ($('status').textContent = words);

$('file').onchange = ({ target }) => target.files[0] && open(URL.createObjectURL(target.files[0]));
$('classes').oninput = questions;
$('run').onclick = run;
for (const kind of ['dragover', 'dragleave', 'drop'])
  $('drop').addEventListener(kind, (event) => {
    event.preventDefault();
    $('drop').classList.toggle('over', kind === 'dragover');
    if (kind === 'drop' && event.dataTransfer.files[0]) open(URL.createObjectURL(event.dataTransfer.files[0]));
  });
start().catch((error) => {
  say(`The page could not start: ${error.message}`);
  throw error;
});
