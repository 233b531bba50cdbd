import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TrustStore } from '../../bmc/trust-store.ts'
import { INTERMEDIATES, readTrustFiles } from './trust-files.ts'

/** Reads a folder of those who are trusted. Throws an Error that tells all that is wrong with it. */
export function readTrustFolder(folder: string): TrustStore {
  const read = readTrustFiles(filesOf(folder))
  if (read.ok) return read.value
  throw new Error(read.problem.map((mistake) => `trust: ${join(folder, mistake)}`).join('\n'))
}

function filesOf(folder: string): Map<string, Buffer> {
  try {
    const names = namesIn(folder).filter((name) => `${name}/` !== INTERMEDIATES)
    const below = existsSync(join(folder, INTERMEDIATES)) ? namesIn(join(folder, INTERMEDIATES)) : []
    const all = [...names, ...below.map((name) => `${INTERMEDIATES}${name}`)]
    return new Map(all.map((name) => [name, readFileSync(join(folder, name))]))
  } catch (error) {
    throw new Error(`trust: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}

/** What is hidden belongs to whatever keeps the folder. */
function namesIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => !name.startsWith('.'))
    .toSorted()
}
