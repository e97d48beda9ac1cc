"use strict";
// Writes the routes that Next's own build maps from files, as one JSON array of {method, route, own}. `own` says that
// a file of code answers, and not a picture or the framework's own page.

const fs = require("fs");
const path = require("path");
const from = (name) => require(require.resolve(name, { paths: [process.cwd()] }));

async function main() {
  const { createPagesMapping } = from("next/dist/build/entries");
  const { normalizeAppPath } = from("next/dist/shared/lib/router/utils/app-paths");
  const pageExtensions = ["tsx", "ts", "jsx", "js"];
  const out = [];
  for (const [pagesType, name] of [["pages", "pages"], ["pages", "src/pages"], ["app", "app"], ["app", "src/app"]]) {
    const pagesDir = path.join(process.cwd(), name);
    if (!fs.existsSync(pagesDir)) continue;
    const isPage = pagesType === "pages" ? /\.(tsx?|jsx?)$/ : /[\\/](page|route|robots|sitemap|manifest)\.(tsx?|jsx?)$/;
    const files = fs.readdirSync(pagesDir, { recursive: true }).map((file) => "/" + file);
    const pagePaths = files.filter((file) => isPage.test(file));
    const given = { isDev: false, hasServerComponents: true, pageExtensions, pagesType, pagePaths, pagesDir };
    const pages = await createPagesMapping(given);
    for (const [page, file] of Object.entries(pages)) {
      const own = String(file).startsWith("private-next-") && !/^\/(_app|_document|_error|404|500|_not-found)/.test(page);
      const route = (pagesType === "app" ? normalizeAppPath(page) : page)
        .replace(/\[\[?\.\.\.(\w+)\]?\]/g, ":$1(*)")
        .replace(/\[(\w+)\]/g, ":$1");
      out.push({ method: "*", route, own });
    }
  }
  fs.writeFileSync(process.env.ROUTES_TO, JSON.stringify(out));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
