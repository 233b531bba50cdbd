import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TrustStore } from '../../bmc/trust-store.ts'
import { fail, type Result, succeed } from '../../lib/result.ts'
import { INTERMEDIATES, readTrustFiles } from './trust-files.ts'

/** Reads a folder of those who are trusted. Throws an Error that tells all that is wrong with it. */
export function readTrustFolder(folder: string): TrustStore {
  const names = attempt(folder, namesIn)
  const isThere = names.ok && names.value.some(isIntermediates)
  const below = isThere ? attempt(join(folder, INTERMEDIATES), namesIn) : succeed([])
  const files = [
    ...(names.ok ? names.value.filter((name) => !isIntermediates(name)) : []),
    ...(below.ok ? below.value.map((name) => `${INTERMEDIATES}${name}`) : []),
  ].map((name) => attempt(join(folder, name), (path) => [name, readFileSync(path)] as const))
  const read = readTrustFiles(new Map(files.flatMap((file) => (file.ok ? [file.value] : []))))
  const mistakes = [
    ...[names, below, ...files].flatMap((one) => (one.ok ? [] : [one.problem])),
    ...(read.ok ? [] : read.problem.map((mistake) => join(folder, mistake))),
  ]
  if (read.ok && mistakes.length === 0) return read.value
  throw new Error(mistakes.map((mistake) => `trust: ${mistake}`).join('\n'))
}

function isIntermediates(name: string): boolean {
  return `${name}/` === INTERMEDIATES
}

/** What is at a path, or why it cannot be read: not every message of Node names the path. */
function attempt<T>(path: string, read: (path: string) => T): Result<T, string> {
  try {
    return succeed(read(path))
  } catch (error) {
    return fail(`${path}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** What is hidden belongs to whatever keeps the folder. */
function namesIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => !name.startsWith('.'))
    .toSorted()
}
