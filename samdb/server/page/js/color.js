// One colour per class, the same as in every picture that samdb draws (samdb/reports/palette.py; a test compares).

const GREY = [178, 184, 192];

const NAMED = {
  car: [64, 156, 255],
  pedestrian: [255, 112, 67],
  rider: [232, 120, 190],
  bicycle: [0, 190, 130],
  motorcycle: [160, 110, 255],
  truck: [0, 214, 226],
  bus: [250, 226, 70],
  train: [176, 124, 84],
  "traffic light": [255, 64, 110],
  "traffic sign": [255, 178, 40],
  road: [128, 100, 150],
  "other vehicle": [120, 200, 170],
  trailer: [110, 140, 190],
  "other person": [235, 160, 140],
};
const SAME_AS = { person: "pedestrian", bike: "bicycle", motor: "motorcycle", "stop sign": "traffic sign" };

const known = new Map();

/** The colour of a class as [r, g, b]; grey for none. */
export function classColor(name) {
  if (name === null || name === undefined) return GREY;
  const named = NAMED[SAME_AS[name] ?? name];
  if (named) return named;
  if (!known.has(name)) {
    const [first, second] = sha256(new TextEncoder().encode(name));
    known.set(name, hlsToRgb((first % 24) / 24, [0.52, 0.62, 0.72][second % 3], 0.78).map((v) => Math.round(v * 255)));
  }
  return known.get(name);
}

/** The same as CSS, with an opacity if wanted. */
export function classCss(name, alpha = 1) {
  return `rgb(${classColor(name).join(" ")} / ${alpha})`;
}

// for values that are no classes: told apart at a glance, neighbours in the list most of all
const APART = ["car", "traffic sign", "bicycle", "traffic light", "truck", "motorcycle", "bus", "pedestrian", "rider", "train"];

/** The colour of the n-th value of an attribute as CSS. */
export function nthCss(n) {
  return classCss(APART[n % APART.length]);
}

function hlsToRgb(hue, lightness, saturation) {
  const m2 = lightness <= 0.5 ? lightness * (1 + saturation) : lightness + saturation - lightness * saturation;
  const m1 = 2 * lightness - m2;
  return [hue + 1 / 3, hue, hue - 1 / 3].map((turn) => {
    const h = ((turn % 1) + 1) % 1;
    if (h < 1 / 6) return m1 + (m2 - m1) * h * 6;
    if (h < 1 / 2) return m2;
    return h < 2 / 3 ? m1 + (m2 - m1) * (2 / 3 - h) * 6 : m1;
  });
}

// FIPS 180-4. The browser's own needs https or localhost, and answers later; a class name is one block or two.
function sha256(bytes) {
  const primes = [];
  for (let n = 2; primes.length < 64; n++) if (primes.every((p) => n % p)) primes.push(n);
  const fraction = (x) => ((x - Math.floor(x)) * 2 ** 32) | 0;
  const K = primes.map((p) => fraction(Math.cbrt(p)));
  const state = primes.slice(0, 8).map((p) => fraction(Math.sqrt(p)));
  const padded = new Uint8Array(((bytes.length + 8) >> 6) * 64 + 64);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 4, bytes.length * 8);
  const turn = (x, n) => (x >>> n) | (x << (32 - n));
  for (let at = 0; at < padded.length; at += 64) {
    const w = new Int32Array(64);
    for (let i = 0; i < 16; i++) w[i] = view.getInt32(at + 4 * i);
    for (let i = 16; i < 64; i++) {
      const s0 = turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ (w[i - 15] >>> 3);
      const s1 = turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ (w[i - 2] >>> 10);
      w[i] = (w[i - 16] + s0 + w[i - 7] + s1) | 0;
    }
    let [a, b, c, d, e, f, g, hh] = state;
    for (let i = 0; i < 64; i++) {
      const t1 = (hh + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + K[i] + w[i]) | 0;
      const t2 = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      [hh, g, f, e, d, c, b, a] = [g, f, e, (d + t1) | 0, c, b, a, (t1 + t2) | 0];
    }
    [a, b, c, d, e, f, g, hh].forEach((v, i) => (state[i] = (state[i] + v) | 0));
  }
  return state.flatMap((v) => [(v >>> 24) & 255, (v >>> 16) & 255, (v >>> 8) & 255, v & 255]);
}
