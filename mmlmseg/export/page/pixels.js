// From pixels to what the model reads, and from its scores to classes. Pure functions, no page.

// The size of an image after the Resize that stands in `steps` of a description: [width, height].
export function fittedSize(width, height, steps) {
  const resize = steps.find(({ type }) => type === 'Resize');
  if (!resize) return [width, height];
  if (!resize.keep_ratio) return resize.scale;
  const [long, short] = [Math.max(...resize.scale), Math.min(...resize.scale)];
  const factor = Math.min(long / Math.max(width, height), short / Math.min(width, height));
  return [Math.floor(width * factor + 0.5), Math.floor(height * factor + 0.5)];
}

// Bilinear, between centres of pixels, without smoothing: as the images of training were resized.
// Takes RGBA bytes [H, W, 4]; gives planes of RGB [3, h, w], rounded as bytes are.
export function planes(data, width, height, w, h) {
  const out = new Float32Array(3 * w * h);
  const columns = places(width, w);
  const rows = places(height, h);
  for (let y = 0; y < h; y++) {
    const above = rows.first[y] * width;
    const below = rows.second[y] * width;
    for (let x = 0; x < w; x++) {
      const corners = [above + columns.first[x], above + columns.second[x], below + columns.first[x], below + columns.second[x]];
      for (let c = 0; c < 3; c++) {
        const [a, b, d, e] = corners.map((corner) => data[4 * corner + c]);
        const top = a + (b - a) * columns.share[x];
        const bottom = d + (e - d) * columns.share[x];
        out[(c * h + y) * w + x] = Math.round(top + (bottom - top) * rows.share[y]);
      }
    }
  }
  return out;
}

// Between which two source pixels each target pixel lies, and how far along.
function places(from, to) {
  const first = new Int32Array(to), second = new Int32Array(to), share = new Float32Array(to);
  for (let i = 0; i < to; i++) {
    const place = Math.min(Math.max(((i + 0.5) * from) / to - 0.5, 0), from - 1);
    first[i] = Math.floor(place);
    second[i] = Math.min(first[i] + 1, from - 1);
    share[i] = place - first[i];
  }
  return { first, second, share };
}

// The best class of each pixel and its score, of scores [K, n] over n pixels.
export function best(scores, K, n) {
  const map = new Uint16Array(n);
  const values = scores.slice(0, n);
  for (let k = 1; k < K; k++)
    for (let i = 0; i < n; i++)
      if (scores[k * n + i] > values[i]) {
        values[i] = scores[k * n + i];
        map[i] = k;
      }
  return { map, values };
}
