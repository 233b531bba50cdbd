import { readFileSync } from 'node:fs'

/** What a file plans for devices, not yet judged. Throws an Error that names a file that cannot be read. */
export function readDevicesFile(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as unknown
  } catch (error) {
    throw new Error(`devices ${path}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    })
  }
}
