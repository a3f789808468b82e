/**
 * The screen of a terminal, as `tmux capture-pane -e -p` prints it, as a picture in SVG. Texts stay
 * texts in the font of the reader, and each run of one style has its columns, whatever the font is.
 */

const COLOURS = ["#1d1f21", "#d7675e", "#7fb56a", "#d9a94a", "#6ea3d8", "#b48ad0", "#5fb3b3", "#d5d3cd", "#7c7a76", "#f08b80", "#a3d08c", "#f0c674", "#92bfe8", "#cfaee4", "#8ad0cf", "#fbfaf7"];
const [PAPER, INK] = ["#1d1f21", "#e6e3dc"];
/** Pixels of a character, and around all of them. */
const [WIDE, HIGH, EDGE, SIZE] = [8.4, 18, 14, 14];
const GRAPHEMES = new Intl.Segmenter(undefined, { granularity: "grapheme" });
const BROAD = /\p{Emoji_Presentation}|\ufe0f|[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{20000}-\u{3fffd}]/u;

export function columns(sign) {
  return BROAD.test(sign) ? 2 : 1;
}

/** One of 256 colours. */
function coloured(number) {
  if (number < 16) return COLOURS[number];
  if (number >= 232) return hex(Array(3).fill(8 + (number - 232) * 10));
  const at = number - 16;
  return hex([Math.floor(at / 36), Math.floor(at / 6) % 6, at % 6].map((step) => (step === 0 ? 0 : 55 + step * 40)));
}

const hex = (parts) => `#${parts.map((part) => Number(part).toString(16).padStart(2, "0")).join("")}`;
const PLAIN = { ink: undefined, paper: undefined, isBold: false, isDim: false, isItalic: false, isUnder: false, isTurned: false };

/** The style behind an escape sequence. */
function styled(style, codes) {
  let next = style;
  for (let at = 0; at < codes.length; at++) {
    const code = codes[at];
    if (code === 0) next = PLAIN;
    else if (code === 1) next = { ...next, isBold: true };
    else if (code === 2) next = { ...next, isDim: true };
    else if (code === 3) next = { ...next, isItalic: true };
    else if (code === 4) next = { ...next, isUnder: true };
    else if (code === 7) next = { ...next, isTurned: true };
    else if (code === 22) next = { ...next, isBold: false, isDim: false };
    else if (code === 23) next = { ...next, isItalic: false };
    else if (code === 24) next = { ...next, isUnder: false };
    else if (code === 27) next = { ...next, isTurned: false };
    else if (code === 39) next = { ...next, ink: undefined };
    else if (code === 49) next = { ...next, paper: undefined };
    else if (code === 38 || code === 48) {
      const isLong = codes[at + 1] === 2;
      const colour = isLong ? hex(codes.slice(at + 2, at + 5)) : coloured(codes[at + 2]);
      next = { ...next, [code === 38 ? "ink" : "paper"]: colour };
      at += isLong ? 4 : 2;
    } else {
      const [first, name] = [[30, "ink", 0], [40, "paper", 0], [90, "ink", 8], [100, "paper", 8]].filter(([from]) => code >= from && code < from + 8).map(([from, what, more]) => [code - from + more, what])[0] ?? [];
      if (name !== undefined) next = { ...next, [name]: COLOURS[first] };
    }
  }
  return next;
}

/** Runs of one style, with their columns. */
export function runsOf(line, begin = PLAIN) {
  const runs = [];
  let [style, column] = [begin, 0];
  for (const [, codes, text] of line.matchAll(/\u001b\[([\d;:]*)m|((?:(?!\u001b\[)[\s\S])+)/g)) {
    if (text === undefined) {
      style = styled(style, codes.split(/[;:]/).map(Number));
      continue;
    }
    for (const { segment } of GRAPHEMES.segment(text)) {
      const last = runs.at(-1);
      const width = columns(segment);
      // A broad sign stands alone: fonts differ about its width.
      if (last !== undefined && last.style === style && width === 1 && !last.isBroad) {
        last.text += segment;
        last.width += width;
      } else runs.push({ style, column, text: segment, width, isBroad: width === 2 });
      column += width;
    }
  }
  return { runs, style };
}

const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
const at = (number) => String(Math.round(number * 10) / 10);

/** `label`: what the picture shows, for those that do not see it. */
export function picture(screen, label) {
  const lines = screen.replace(/\n$/, "").split("\n");
  const parts = [];
  let [style, most] = [PLAIN, 0];
  for (const [row, line] of lines.entries()) {
    const read = runsOf(line, style);
    style = read.style;
    for (const run of read.runs) {
      most = Math.max(most, run.column + run.width);
      const { isTurned } = run.style;
      const ink = isTurned ? (run.style.paper ?? PAPER) : (run.style.ink ?? INK);
      const paper = isTurned ? (run.style.ink ?? INK) : run.style.paper;
      const [x, y, width] = [at(EDGE + run.column * WIDE), EDGE + row * HIGH, at(run.width * WIDE)];
      if (paper !== undefined) parts.push(`<rect x="${x}" y="${y}" width="${width}" height="${HIGH}" fill="${paper}"/>`);
      if (run.text.trim() === "") continue;
      const looks = [run.style.isBold ? ' font-weight="bold"' : "", run.style.isItalic ? ' font-style="italic"' : "", run.style.isUnder ? ' text-decoration="underline"' : "", run.style.isDim ? ' opacity="0.65"' : ""].join("");
      // Viewers of SVG join several plain spaces into one.
      const fit = run.isBroad ? "" : ` textLength="${width}" lengthAdjust="spacingAndGlyphs"`;
      parts.push(`<text x="${x}" y="${y + 13}" fill="${ink}"${looks}${fit}>${escaped(run.text).replaceAll(" ", "\u00a0")}</text>`);
    }
  }
  const [width, height] = [at(most * WIDE + 2 * EDGE), lines.length * HIGH + 2 * EDGE];
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(label).replaceAll('"', "&quot;")}" font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="${SIZE}" xml:space="preserve"><rect width="100%" height="100%" rx="8" fill="${PAPER}"/>\n${parts.join("\n")}\n</svg>\n`;
}
