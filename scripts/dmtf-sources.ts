import { createHash } from 'node:crypto'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

export type Json = null | boolean | number | string | readonly Json[] | JsonObject
export interface JsonObject {
  readonly [name: string]: Json
}

/** The DMTF publications on disk; remembers the digest of every file that was read. */
export interface Sources {
  readonly names: (folder: string) => readonly string[]
  readonly text: (path: string) => string
  readonly json: (path: string) => JsonObject
  readonly digests: () => Record<string, string>
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function isArray(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value)
}

/** For members that a publication must have: their absence means that we misread its format. */
export function objectAt(owner: JsonObject, name: string): JsonObject {
  const value = owner[name]
  if (!isObject(value))
    throw new Error(`${name} should be an object in ${JSON.stringify(owner).slice(0, 200)}`)
  return value
}

export function stringAt(owner: JsonObject, name: string): string {
  const value = owner[name]
  if (typeof value !== 'string')
    throw new Error(`${name} should be a string in ${JSON.stringify(owner).slice(0, 200)}`)
  return value
}

export function parseObject(text: string, path: string): JsonObject {
  const value: unknown = JSON.parse(text)
  if (!isObject(value)) throw new Error(`${path} is not a JSON object`)
  return value
}

export function openSources(folder: string): Sources {
  const read = new Map<string, string>()
  const digests = new Map<string, string>()
  const text = (path: string): string => {
    const known = read.get(path)
    if (known !== undefined) return known
    const bytes = readFileSync(join(folder, path))
    digests.set(path, createHash('sha256').update(bytes).digest('hex'))
    read.set(path, bytes.toString('utf8'))
    return bytes.toString('utf8')
  }
  return {
    names: (subfolder) => readdirSync(join(folder, subfolder)),
    text,
    json: (path) => parseObject(text(path), path),
    digests: () => Object.fromEntries([...digests].toSorted(byKey)),
  }
}

/** Names like `Base.1.22.1.json` and `Task.v1_7_4.json`: the one with the highest version, without `.json`. */
export function newest(names: readonly string[], prefix: string): string | undefined {
  const versioned = names.flatMap((name) => {
    const version = /^v?(\d+)[._](\d+)[._](\d+)\.json$/.exec(name.slice(prefix.length + 1))
    return name.startsWith(`${prefix}.`) && version ? [{ name, version: version.slice(1).map(Number) }] : []
  })
  versioned.sort((a, b) => compareVersions(b.version, a.version))
  return versioned[0]?.name.replace(/\.json$/, '')
}

export function byKey(a: readonly [string, unknown], b: readonly [string, unknown]): number {
  return a[0] < b[0] ? -1 : 1
}

function compareVersions(a: readonly number[], b: readonly number[]): number {
  for (const [index, part] of a.entries()) {
    const difference = part - (b[index] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}
