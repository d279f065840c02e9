/** `npm run docs`: builds the site into `.docs/`, and fails if a link in it leads nowhere. */
import * as path from "node:path"
import process from "node:process"
import { deadInSite } from "./links.ts"
import { root } from "./modules.ts"
import { buildSite } from "./site.ts"

const out = path.join(root, ".docs")
buildSite(out)
const dead = deadInSite(out)
for (const { file, href } of dead) console.error(`${file}: ${href} leads nowhere`)
console.log(`The site is in ${path.relative(process.cwd(), out) || "."}: open index.html`)
process.exitCode = dead.length === 0 ? 0 : 1
