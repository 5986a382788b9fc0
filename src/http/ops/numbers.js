// What the samples of /metrics say: sums, rates, quantiles.

/** Adds up every sample of a name, whatever its labels. */
export function sum(samples, name) {
  let total = 0;
  for (const [sample, value] of Object.entries(samples)) {
    if (sample === name || sample.startsWith(`${name}{`)) total += value;
  }
  return total;
}

/** Gives a counter's increase a second between two views. */
export function rate(before, now, name) {
  const seconds = (now.time - before.time) / 1000;
  return seconds > 0 ? Math.max(0, sum(now.samples, name) - sum(before.samples, name)) / seconds : 0;
}

/** Gives the buckets of a histogram as [upper bound, count up to it], of samples whose labels hold `label`. */
export function buckets(samples, name, label = '') {
  const counts = new Map();
  for (const [sample, value] of Object.entries(samples)) {
    if (!sample.startsWith(`${name}_bucket{`) || !sample.includes(label)) continue;
    const bound = /le="([^"]+)"/.exec(sample)[1];
    const upper = bound === '+Inf' ? Infinity : Number(bound);
    counts.set(upper, (counts.get(upper) ?? 0) + value);
  }
  return [...counts].sort(([a], [b]) => a - b);
}

/** Gives what a histogram counted between two views. */
export function increase(before, now) {
  const earlier = new Map(before);
  return now.map(([upper, count]) => [upper, count - (earlier.get(upper) ?? 0)]);
}

/** Estimates a quantile as Prometheus does; nothing where nothing was counted. */
export function quantile(share, counted) {
  const total = counted.at(-1)?.[1] ?? 0;
  if (total <= 0) return null;
  const rank = share * total;
  let [lower, below] = [0, 0];
  for (const [upper, count] of counted) {
    if (count >= rank) {
      if (upper === Infinity) return lower;
      return lower + ((upper - lower) * (rank - below)) / Math.max(1, count - below);
    }
    [lower, below] = [upper, count];
  }
  return lower;
}

/** Writes seconds for people. */
export function duration(seconds) {
  if (seconds === null || Number.isNaN(seconds)) return '–';
  if (seconds === 0) return '0';
  if (seconds < 0.001) return '< 1 ms';
  if (seconds < 1) return `${(seconds * 1000).toPrecision(seconds < 0.01 ? 2 : 3).replace(/\.0+$/, '')} ms`;
  return seconds < 120 ? `${seconds.toPrecision(3)} s` : `${(seconds / 60).toFixed(1)} min`;
}

/** Writes a number for people. */
export function plain(value) {
  return value >= 100 || Number.isInteger(value) ? Math.round(value).toLocaleString('en') : value.toFixed(1);
}
