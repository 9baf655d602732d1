// Class names as a user types them, against those that the page has rows of.

// As the names of the bank were written: lower case, one blank between words.
export function normalise(name) {
  return name.toLowerCase().replace(/[_\-\s]+/g, ' ').trim();
}

// The distinct names of a list with commas or lines, in its order.
export function listed(text) {
  return [...new Set(text.split(/[,\n]/).map(normalise).filter(Boolean))];
}

// The known names that are most like a name, best first: of those that differ by few letters.
export function nearest(name, known, number = 3) {
  return known
    .map((other) => [distance(name, other) / Math.max(name.length, other.length), other])
    .filter(([share]) => share < 0.5)
    .sort(([a, one], [b, other]) => a - b || apart(name, one) - apart(name, other)) // of equal ones the one as long first
    .slice(0, number)
    .map(([, other]) => other);
}

const apart = (name, other) => Math.abs(name.length - other.length);

// How many letters have to be put in, left out, replaced, or swapped with their neighbour (optimal string alignment).
function distance(a, b) {
  const rows = [[...Array(b.length + 1).keys()]];
  for (let i = 1; i <= a.length; i++) {
    rows.push([i]);
    for (let j = 1; j <= b.length; j++) {
      let least = Math.min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, rows[i - 2][j - 2] + 1);
      rows[i].push(least);
    }
  }
  return rows[a.length][b.length];
}
