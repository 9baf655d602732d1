// Class names as a user types them, against those that the page has rows of.

// As the names of the bank were written: lower case, one blank between words.
export function normalise(name) {
  return name.toLowerCase().replace(/[_\-\s]+/g, ' ').trim();
}

// The distinct names of a list with commas or lines, in its order.
export function listed(text) {
  return [...new Set(text.split(/[,\n]/).map(normalise).filter(Boolean))];
}

// The known names that are most like a name, best first: by pairs of letters in common (Dice's coefficient).
export function nearest(name, known, number = 3) {
  const own = pairs(name);
  const like = (other) => {
    const theirs = pairs(other);
    const common = [...own].filter((pair) => theirs.has(pair)).length;
    return (2 * common) / (own.size + theirs.size || 1);
  };
  return known
    .map((other) => [like(other), other])
    .filter(([share]) => share > 0.3)
    .sort(([a], [b]) => b - a)
    .slice(0, number)
    .map(([, other]) => other);
}

function pairs(name) {
  const padded = ` ${name} `;
  return new Set([...padded].slice(1).map((_, i) => padded.slice(i, i + 2)));
}
