// A heat map over a film: hatching and outlines, to be read without colour, with the film seen through it; and the same in words.

const RAISED = "#ffb454";
const LOWERED = "#8fb8e8";
const SPACING = { 1: 16, 2: 8 }; // between lines, in pixels of the page, by strength

// 0: not drawn, 1: light, 2: heavy; negative where the square lowered the score
const strength = (value, levels) => Math.sign(value) * levels.filter((level) => Math.abs(value) >= level).length;

function squares(map) {
  const found = [];
  map.values.forEach((row, r) => row.forEach((value, c) => found.push({ r, c, value, strength: strength(value, map.levels) })));
  return found;
}

// map as /api/v1/instances/{uid}/heat_map gives it; the result draws it where the film lies on a canvas
export function overlay(map) {
  const all = squares(map);
  const at = (r, c) => all.find((one) => one.r === r && one.c === c)?.strength ?? 0;
  return (context, [left, top, width, height], ratio) => {
    const [wide, high] = [width / map.grid.columns, height / map.grid.rows];
    const box = ({ r, c }) => [left + c * wide, top + r * high, wide, high];
    for (const wanted of [1, 2, -1, -2]) {
      const these = all.filter((one) => one.strength === wanted);
      if (!these.length) continue;
      context.save();
      context.beginPath();
      for (const one of these) context.rect(...box(one));
      context.clip();
      hatch(context, wanted > 0, left, top, SPACING[Math.abs(wanted)] * ratio);
      twice(context, wanted > 0 ? RAISED : LOWERED, 1.3 * ratio);
      context.restore();
    }
    for (const wanted of [2, -2]) {
      context.save();
      context.beginPath();
      for (const one of all.filter((each) => each.strength === wanted)) edges(context, box(one), one, (r, c) => at(r, c) === wanted);
      context.setLineDash(wanted > 0 ? [] : [7 * ratio, 5 * ratio]);
      twice(context, wanted > 0 ? RAISED : LOWERED, 2 * ratio);
      context.restore();
    }
  };
}

// on black as on white: a dark line beneath a bright one
function twice(context, colour, width) {
  for (const [style, more, alpha] of [["#000", 1.8, 0.6], [colour, 0, 0.95]]) {
    Object.assign(context, { strokeStyle: style, lineWidth: width + more * width, globalAlpha: alpha });
    context.stroke();
  }
}

// diagonals over what is seen of the canvas, fixed to the film: rising to the right, or falling
function hatch(context, rising, left, top, spacing) {
  const { width, height } = context.canvas;
  const turn = rising ? 1 : -1;
  const fixed = left + turn * top;
  const [from, to] = rising ? [0, width + height] : [-height, width];
  context.beginPath();
  for (let k = fixed + Math.ceil((from - fixed) / spacing) * spacing; k <= to; k += spacing) {
    context.moveTo(k, 0);
    context.lineTo(k - turn * height, height);
  }
}

function edges(context, [x, y, wide, high], { r, c }, same) {
  const sides = [
    [r - 1, c, x, y, x + wide, y], [r + 1, c, x, y + high, x + wide, y + high],
    [r, c - 1, x, y, x, y + high], [r, c + 1, x + wide, y, x + wide, y + high],
  ];
  for (const [row, column, fromX, fromY, toX, toY] of sides) {
    if (same(row, column)) continue;
    context.moveTo(fromX, fromY);
    context.lineTo(toX, toY);
  }
}

// short: for everybody; long: for who does not see the hatching
export function words(map) {
  const all = squares(map);
  const count = (sign) => all.filter((one) => Math.sign(one.strength) === sign);
  const most = (some, sign) => {
    const one = some.reduce((best, each) => (sign * each.value > sign * best.value ? each : best));
    return `most in row ${one.r + 1}, column ${one.c + 1}`;
  };
  const [raised, lowered] = [count(1), count(-1)];
  const said = (some, sign) => (some.length ? `${some.length}, ${most(some, sign)}` : "none");
  const score = map.probability === null ? "" : ` Score ${map.probability.toFixed(2)}.`;
  return {
    short: `${map.model}.${score}${raised.length + lowered.length ? "" : " No square changed it much."}`,
    long: `Of ${map.grid.rows} rows from the top and ${map.grid.columns} columns from the left, squares that raised the score: ${said(raised, 1)}; lowered it: ${said(lowered, -1)}.`,
    levels: map.levels.map((level) => Math.exp(level).toPrecision(2).replace(/\.0$/, "")),
  };
}
