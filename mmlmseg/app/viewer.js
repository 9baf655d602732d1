// A picture under layers, one a label space: each with its opacity, on or off, filled or outlined. Over a pixel a note
// tells what every layer calls it. mmlmseg/app/payload.py says what `show` takes.
//
// mountViewer(root, onPick) -> { show(payload) }; onPick(row, column) is called where the picture is clicked.
function mountViewer(root, onPick) {
  root.innerHTML = `
    <div class="mv-stage">
      <canvas class="mv-picture" role="img" aria-label="the image under its layers"></canvas>
      <canvas class="mv-mark"></canvas>
      <div class="mv-note" role="status" hidden></div>
    </div>
    <div class="mv-layers"></div>`;
  const picture = root.querySelector('.mv-picture'), mark = root.querySelector('.mv-mark');
  const note = root.querySelector('.mv-note'), list = root.querySelector('.mv-layers');
  const settings = new Map();  // of each layer by its name, kept while answers change
  let layers = [], photo = null, pinned = null, latest = 0;

  const load = address => new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => resolve(image);
    image.onerror = () => reject(new Error('a picture of the viewer cannot be read'));
    image.src = address;
  });

  async function numbers(address) {  // a picture whose colours are numbers, see payload.py
    const image = await load(address);
    const canvas = document.createElement('canvas');
    canvas.width = image.width;
    canvas.height = image.height;
    const context = canvas.getContext('2d', { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    const bytes = context.getImageData(0, 0, canvas.width, canvas.height).data;
    const found = { width: canvas.width, height: canvas.height, ids: new Uint16Array(bytes.length / 4), scores: new Uint8Array(bytes.length / 4) };
    for (let i = 0; i < found.ids.length; i++) {
      found.ids[i] = bytes[4 * i] + 256 * bytes[4 * i + 1];
      found.scores[i] = bytes[4 * i + 2];
    }
    return found;
  }

  function painted(layer, isPainted) {  // a canvas with the pixels in the colours of their entries
    const { width, height, ids } = layer.map;
    const canvas = document.createElement('canvas');
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext('2d'), image = context.createImageData(width, height);
    const colours = layer.entries.map(entry => [1, 3, 5].map(at => parseInt(entry.colour.slice(at, at + 2), 16)));
    for (let i = 0; i < ids.length; i++) {
      if (!ids[i] || !isPainted(i)) continue;
      image.data.set(colours[ids[i] - 1], 4 * i);
      image.data[4 * i + 3] = 255;
    }
    context.putImageData(image, 0, 0);
    return canvas;
  }

  function outlined(layer) {
    const { width, height, ids } = layer.map, reach = Math.max(1, Math.round(Math.max(width, height) / 300));
    return painted(layer, i => {
      const x = i % width, y = (i - x) / width;
      for (let step = 1; step <= reach; step++) {
        if ((x + step < width && ids[i + step] !== ids[i]) || (x >= step && ids[i - step] !== ids[i]) ||
            (y + step < height && ids[i + step * width] !== ids[i]) || (y >= step && ids[i - step * width] !== ids[i])) return true;
      }
      return false;
    });
  }

  function draw() {
    if (!photo) return;
    const context = picture.getContext('2d');
    context.globalAlpha = 1;
    context.fillStyle = '#fff';
    context.fillRect(0, 0, picture.width, picture.height);
    context.globalAlpha = settings.get('').opacity;
    if (settings.get('').on) context.drawImage(photo, 0, 0, picture.width, picture.height);
    for (const layer of layers) {
      const own = settings.get(layer.space);
      if (!own.on) continue;
      context.globalAlpha = own.opacity;
      layer[own.style] ??= own.style === 'fill' ? painted(layer, () => true) : outlined(layer);
      context.drawImage(layer[own.style], 0, 0, picture.width, picture.height);
    }
    context.globalAlpha = 1;
  }

  function drawMark(layer, number) {  // darkens all but an entry; without one shows the pixel that was clicked
    const context = mark.getContext('2d');
    context.clearRect(0, 0, mark.width, mark.height);
    if (layer) {
      const image = context.createImageData(mark.width, mark.height);
      for (let i = 0; i < layer.map.ids.length; i++) image.data[4 * i + 3] = layer.map.ids[i] === number ? 0 : 165;
      context.putImageData(image, 0, 0);
    } else if (pinned) {
      const size = Math.max(4, mark.width / 110);
      context.lineWidth = size / 3;
      for (const [colour, more] of [['#000', 0], ['#fff', size / 3]]) {
        context.strokeStyle = colour;
        context.beginPath();
        context.arc(pinned.column + 0.5, pinned.row + 0.5, size + more, 0, 2 * Math.PI);
        context.stroke();
      }
    }
  }

  const element = (kind, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(kind), properties);
    made.append(...children);
    return made;
  };
  const swatch = colour => {
    const made = element('i', { className: 'mv-swatch' });
    made.style.background = colour;
    return made;
  };
  const percent = share => (share >= 0.005 ? `${Math.round(100 * share)}%` : '<1%');

  function control(name, title, hasStyle) {
    const own = settings.get(name);
    const on = element('input', { type: 'checkbox', checked: own.on, ariaLabel: `show ${title}` });
    on.onchange = () => { own.on = on.checked; draw(); };
    const opacity = element('input', { type: 'range', min: 0, max: 100, value: 100 * own.opacity, ariaLabel: `opacity of ${title}` });
    opacity.oninput = () => { own.opacity = opacity.value / 100; draw(); };
    const row = element('div', { className: 'mv-control' }, element('label', {}, on, element('b', { textContent: title })), opacity);
    if (hasStyle) {
      const style = element('button', { type: 'button', textContent: own.style, title: 'fill or outline' });
      style.onclick = () => {
        own.style = own.style === 'fill' ? 'outline' : 'fill';
        style.textContent = own.style;
        draw();
      };
      row.append(style);
    }
    return row;
  }

  function legend(layer) {
    const box = element('div', { className: 'mv-legend' });
    const order = layer.entries.map((entry, i) => [entry, i + 1]).sort((a, b) => b[0].share - a[0].share);
    for (const [entry, number] of order) {
      const also = entry.also.length ? `; also ${entry.also.join(', ')}` : '';
      const chip = element('span', { className: 'mv-chip', tabIndex: 0, title: `score ${entry.score.toFixed(2)}${also}` },
        swatch(entry.colour), `${entry.name} `, element('small', { textContent: `${percent(entry.share)}${entry.also.length ? ' =' : ''}` }));
      chip.onmouseenter = chip.onfocus = () => drawMark(layer, number);
      chip.onmouseleave = chip.onblur = () => drawMark();
      box.append(chip);
    }
    if (!order.length) box.append(element('em', { textContent: 'Nothing scores high enough.' }));
    return box;
  }

  function said(layer, row, column) {
    const { width, height, ids, scores } = layer.map, queries = layer.queries;
    const i = row * width + column, entry = layer.entries[ids[i] - 1];
    const y = Math.floor(row * queries.height / height), x = Math.floor(column * queries.width / width);
    const line = element('div', {}, swatch(entry ? entry.colour : 'transparent'), element('span', { className: 'mv-space', textContent: layer.space }));
    if (!entry) {
      line.append(element('em', { textContent: 'nothing' }));
      return line;
    }
    const query = queries.ids[y * queries.width + x];
    line.append(element('b', { textContent: entry.name }), element('span', { textContent: (scores[i] / 255).toFixed(2) }));
    line.append(element('small', { textContent: query ? `query ${query - 1}` : '' }));
    if (entry.also.length) line.append(element('small', { className: 'mv-also', textContent: `also ${entry.also.join(', ')}` }));
    return line;
  }

  function at(event) {
    const box = picture.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left) / box.width * picture.width);
    const row = Math.floor((event.clientY - box.top) / box.height * picture.height);
    return row >= 0 && column >= 0 && row < picture.height && column < picture.width ? { row, column } : null;
  }

  mark.onmousemove = event => {
    const place = at(event);
    note.hidden = !place || !layers.length;
    if (note.hidden) return;
    note.replaceChildren(...layers.map(layer => said(layer, place.row, place.column)));
    const box = mark.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    note.style.left = `${x + 16 + note.offsetWidth > box.width ? Math.max(0, x - 16 - note.offsetWidth) : x + 16}px`;
    note.style.top = `${Math.max(0, Math.min(y + 16, box.height - note.offsetHeight))}px`;
  };
  mark.onmouseleave = () => { note.hidden = true; };
  mark.onclick = event => {
    pinned = at(event);
    drawMark();
    if (pinned) onPick(pinned.row, pinned.column);
  };

  async function show(payload) {
    const turn = ++latest;  // an answer that comes while an older one is decoded goes first
    if (!payload) {
      photo = null;
      layers = [];
      root.classList.remove('mv-ready');
      return;
    }
    const decoded = await Promise.all([load(payload.image), ...payload.layers.map(async layer => (
      { ...layer, map: await numbers(layer.ids), queries: await numbers(layer.queries) }))]);
    if (turn !== latest) return;
    const same = photo && photo.src === decoded[0].src;
    [photo, ...layers] = decoded;
    if (!same) pinned = null;
    for (const canvas of [picture, mark]) {
      canvas.width = photo.width;
      canvas.height = photo.height;
    }
    root.style.setProperty('--mv-aspect', photo.width / photo.height);
    if (!settings.has('')) settings.set('', { on: true, opacity: 1 });
    layers.forEach((layer, i) => {
      if (!settings.has(layer.space)) settings.set(layer.space, i ? { on: i === 1, opacity: 1, style: 'outline' } : { on: true, opacity: 0.6, style: 'fill' });
    });
    list.replaceChildren(control('', 'image', false), ...layers.map(layer =>
      element('section', {}, control(layer.space, layer.space, true), legend(layer))));
    root.classList.add('mv-ready');
    draw();
    drawMark();
  }
  return { show };
}
