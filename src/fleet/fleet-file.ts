import { readFileSync } from 'node:fs'

/** What a file says of a fleet, before anybody has judged it. Throws an Error that names the file. */
export function readFleetFile(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    throw new Error(`fleet: ${path}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    })
  }
}
