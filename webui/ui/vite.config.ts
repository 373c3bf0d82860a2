// Two pages, two builds: guests load `/app/` from the public port, operators `/ops/` from the ops port. Each build is
// whole in itself, so that neither port has to serve the other's files.
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";
import { compress } from "./compress.ts";

const gateway = "http://127.0.0.1:8000";
const ops = "http://127.0.0.1:9000";

export default defineConfig(({ mode }) => {
  const page = mode === "ops" ? "ops" : "app";
  return {
    root: page,
    base: `/${page}/`,
    publicDir: false,
    plugins: [svelte({ configFile: "../svelte.config.js" }), compress()],
    build: {
      outDir: `../dist/${page}`,
      emptyOutDir: true,
      target: "es2022",
      // The Content-Security-Policy allows neither inline scripts nor data: fonts; nothing may be inlined.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
    },
    server: {
      fs: { allow: [".."] },
      proxy: { "/v1": { target: page === "ops" ? ops : gateway } },
    },
    test: { root: ".", include: ["src/**/*.test.ts"], environment: "node" },
  };
});
