import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { below, kilobytes, noted, type Row } from './row.ts'
import type { StateBytes } from './state-child.ts'

const MAX_BYTES = 20_000

/** What one more BMC costs among 20,000, against one that shares nothing with its like. */
export async function benchState(): Promise<Row[]> {
  const script = fileURLToPath(new URL('state-child.ts', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', script])
  const { fresh, updated, alone } = JSON.parse(stdout) as StateBytes
  const measured = { show: kilobytes, baseline: alone }
  return [
    below(MAX_BYTES, { ...measured, name: 'state', ours: fresh }),
    noted({ ...measured, name: 'state after an update', ours: updated }),
  ]
}
