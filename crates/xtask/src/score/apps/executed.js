"use strict";
// Reads what V8 wrote of coverage and prints the functions below a root that ran, as one JSON array of
// {file, line, column, endLine, endColumn, name}. Lines begin at 1, columns too.
//
// Usage: executed.js FOLDER ROOT

const fs = require("fs");
const path = require("path");
const { SourceMap } = require("module");
const { fileURLToPath } = require("url");

const [folder, root] = [process.argv[2], fs.realpathSync(process.argv[3])];
const out = new Map();

// Line and column, both from 0, of offsets in a text whose lines have these lengths.
function placer(lengths) {
  const starts = [0];
  for (const length of lengths) starts.push(starts[starts.length - 1] + length + 1);
  return (offset) => {
    let [low, high] = [0, starts.length - 1];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (starts[middle] <= offset) low = middle;
      else high = middle;
    }
    return { line: low, column: offset - starts[low] };
  };
}

for (const name of fs.readdirSync(folder)) {
  const report = JSON.parse(fs.readFileSync(path.join(folder, name), "utf8"));
  const maps = report["source-map-cache"] || {};
  for (const script of report.result) {
    if (!script.url.startsWith("file:")) continue;
    const file = fileURLToPath(script.url);
    if (!file.startsWith(root + path.sep) || file.includes("node_modules")) continue;
    const cached = maps[script.url];
    const map = cached && cached.data && new SourceMap(cached.data);
    const lengths = map ? cached.lineLengths : fs.readFileSync(file, "utf8").split("\n").map((line) => line.length);
    const place = placer(lengths);
    const original = (offset) => {
      const { line, column } = place(offset);
      if (!map) return { line, column };
      const entry = map.findEntry(line, column);
      return entry.originalLine === undefined ? undefined : { line: entry.originalLine, column: entry.originalColumn };
    };
    script.functions.forEach((one, index) => {
      const { startOffset, endOffset, count } = one.ranges[0];
      if (count === 0 || (index === 0 && startOffset === 0)) return;
      const [from, to] = [original(startOffset), original(endOffset)];
      if (!from || !to) return;
      const ran = {
        file: path.relative(root, file),
        line: from.line + 1,
        column: from.column + 1,
        endLine: to.line + 1,
        endColumn: to.column + 1,
        name: one.functionName,
      };
      out.set(JSON.stringify(ran), ran);
    });
  }
}
process.stdout.write(JSON.stringify([...out.values()]));
