// Draws lines over the last two minutes.

const SVG = 'http://www.w3.org/2000/svg';
const [HEIGHT, LEFT, BOTTOM, TOP] = [190, 52, 20, 8];
const LEAST_WIDTH = 200;

/** Seconds that a plot shows. */
export const SHOWN_SECONDS = 120;

/**
 * Draws rows of points, one line each.
 * @param {SVGElement} svg where
 * @param {number} now the time at the right edge, in milliseconds
 * @param {{name: string, points: [number, number | null][]}[]} lines points of time and value; no value is a hole
 * @param {(value: number) => string} write writes a value beside the axis
 * @param {number} least the smallest upper end of the axis
 */
export function plot(svg, now, lines, write, least) {
  // As wide as it is shown, so that words keep their size.
  const width = Math.max(LEAST_WIDTH, svg.clientWidth);
  svg.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`);
  const values = lines.flatMap(({ points }) => points.map(([, value]) => value ?? 0));
  const top = roundUp(Math.max(least, ...values));
  const x = (time) => LEFT + (width - LEFT) * (1 - (now - time) / (SHOWN_SECONDS * 1000));
  const y = (value) => HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * (value / top);
  const drawn = [0, top / 2, top].flatMap((value) => [
    shape('line', { class: 'grid', x1: LEFT, x2: width, y1: y(value), y2: y(value) }),
    shape('text', { x: LEFT - 8, y: y(value) + 4, 'text-anchor': 'end' }, write(value)),
  ]);
  drawn.push(
    shape('text', { x: LEFT, y: HEIGHT - 2 }, '2 min ago'),
    shape('text', { x: width, y: HEIGHT - 2, 'text-anchor': 'end' }, 'now'),
  );
  for (const { name, points } of lines) {
    drawn.push(shape('path', { class: `line ${name}`, d: path(points, x, y) }));
    const last = points.at(-1);
    if (last?.[1] != null) drawn.push(shape('circle', { class: `dot ${name}`, cx: x(last[0]), cy: y(last[1]), r: 3 }));
  }
  svg.replaceChildren(...drawn);
}

function path(points, x, y) {
  let isDown = false;
  return points
    .map(([time, value]) => {
      const step = value === null ? '' : `${isDown ? 'L' : 'M'}${x(time).toFixed(1)} ${y(value).toFixed(1)}`;
      isDown = value !== null;
      return step;
    })
    .join('');
}

function roundUp(value) {
  const magnitude = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * magnitude).find((step) => step >= value * 0.999);
}

function shape(kind, attributes, text) {
  const element = document.createElementNS(SVG, kind);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text) element.textContent = text;
  return element;
}
