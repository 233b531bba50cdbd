import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { capabilitiesPage } from './capabilities-page.ts'
import { flowsPage } from './flows-page.ts'

const pages = { 'docs/capabilities.md': capabilitiesPage, 'docs/flows.md': flowsPage }
const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } })

for (const [path, make] of Object.entries(pages)) {
  const file = resolve(import.meta.dirname, '..', path)
  const page = make()
  if (!values.check) {
    writeFileSync(file, page)
    console.log(`${path} written`)
  } else if (!existsSync(file) || readFileSync(file, 'utf8') !== page) {
    console.error(`stale: ${path}\nrun: npm run generate`)
    process.exitCode = 1
  }
}
