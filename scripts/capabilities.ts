import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { capabilitiesPage } from './capabilities-page.ts'

const path = 'docs/capabilities.md'
const file = resolve(import.meta.dirname, '..', path)
const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } })
const page = capabilitiesPage()

if (!values.check) {
  writeFileSync(file, page)
  console.log(`${path} written`)
} else if (!existsSync(file) || readFileSync(file, 'utf8') !== page) {
  console.error(`stale: ${path}\nrun: npm run generate`)
  process.exitCode = 1
}
