// How a measurement ends: its table in docs/benchmarks.md is made anew, with machine and date, and one line per figure is
// printed. A figure is [name, value, unit].
import { readFileSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";

const PAGE = "docs/benchmarks.md";

export function report(name, how, figures) {
  const machine = `${cpus().length} x ${cpus()[0].model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB`;
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const table = [
    open,
    `${how} ${machine}, ${new Date().toISOString().slice(0, 10)}.`,
    "",
    "| figure | value | unit |",
    "| --- | ---: | --- |",
    ...figures.map(([figure, value, unit]) => `| ${figure} | ${value} | ${unit} |`),
    close,
  ].join("\n");
  const text = readFileSync(PAGE, "utf8");
  const [from, to] = [text.indexOf(open), text.indexOf(close)];
  if (from < 0 || to < from) throw new Error(`${PAGE} has no block ${open} .. ${close}`);
  writeFileSync(PAGE, text.slice(0, from) + table + text.slice(to + close.length));
  for (const [figure, value, unit] of figures) console.log(`figure ${figure} ${value} ${unit}`);
}
