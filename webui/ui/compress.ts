// Writes each script and stylesheet a second time, compressed as well as Brotli can: done once here, it costs the server
// nothing. Browsers of the last years all take it; others get the plain file.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";
import type { Plugin } from "vite";

export function compress(): Plugin {
  return {
    name: "banyan-compress",
    apply: "build",
    writeBundle({ dir }) {
      if (!dir) return;
      const assets = join(dir, "assets");
      for (const name of readdirSync(assets).filter((file) => /\.(js|css|svg)$/.test(file))) {
        const plain = readFileSync(join(assets, name));
        const params = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY };
        writeFileSync(join(assets, `${name}.br`), brotliCompressSync(plain, { params }));
      }
    },
  };
}
