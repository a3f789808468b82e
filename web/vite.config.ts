import { fileURLToPath } from "node:url";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
/** Development: `TROUPE_NODE=http://127.0.0.1:7780 npm run dev` asks a running node. */
const node = process.env["TROUPE_NODE"] ?? "http://127.0.0.1:7780";

export default defineConfig({
  root: here("."),
  base: "./",
  // Templates become calls of createElement: the page assigns no HTML, so it needs no policy of
  // Trusted Types.
  plugins: [
    svelte({
      compilerOptions: {
        fragments: "tree",
        runes: true,
        // Components are keyed by what they show, so their properties stay.
        warningFilter: ({ code }) => code !== "state_referenced_locally",
      },
    }),
  ],
  resolve: { alias: { "troupe-chat": here("../sdk/typescript/src/index.ts") } },
  build: {
    outDir: here("dist"),
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: false,
    cssCodeSplit: false,
    reportCompressedSize: false,
    rollupOptions: {
      // The SDK asks for it outside browsers only.
      external: ["ws"],
      // Names without hashes: the node's ETags tell versions apart.
      output: { entryFileNames: "app.js", chunkFileNames: "[name].js", assetFileNames: "app[extname]" },
    },
  },
  server: { proxy: { "/v1": { target: node, ws: true, headers: { origin: node } } }, fs: { allow: [here("..")] } },
});
