import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { findStale, planFiles, writeFiles } from './generated-files.ts'

const root = resolve(import.meta.dirname, '..')
const dmtf = resolve(root, process.env['DMTF_DIR'] ?? '../shared/dmtf')
const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } })

if (!existsSync(dmtf)) {
  console.log(
    `the DMTF publications are not at ${dmtf} (DMTF_DIR): nothing was ${values.check ? 'checked' : 'generated'}`,
  )
  // a check without sources has nothing to say; a generation without them has failed
  process.exitCode = values.check ? 0 : 1
} else if (values.check) {
  const stale = findStale(root, planFiles(root, dmtf))
  for (const path of stale) console.error(`stale: ${path}`)
  if (stale.length > 0) console.error('run: npm run generate')
  process.exitCode = stale.length > 0 ? 1 : 0
} else {
  const plan = planFiles(root, dmtf)
  writeFiles(root, plan)
  console.log(`${plan.size} files written`)
}
