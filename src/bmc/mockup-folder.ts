import { readdirSync, readFileSync } from 'node:fs'
import { join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isObject, type Json, type JsonObject } from '../redfish/resource.ts'
import { uris } from '../redfish/uris.ts'
import { createMachine, type Machine } from './machine.ts'

const ownMachines = new URL('../../mockups/', import.meta.url)
const ofMockupFiles: ReadonlySet<string> = new Set(['@Redfish.Copyright', '@odata.etag'])

/** The machines that come with redflash. */
export const machineNames: readonly string[] = ['rackmount', 'bladed']

/**
 * Loads one of our machines by name, or a folder in DMTF's mockup layout: below the folder of the service root, every
 * URI segment is a folder and every resource an `index.json`. Throws an Error that names what cannot be read.
 */
export function loadMachine(nameOrFolder: string): Machine {
  const folder = machineNames.includes(nameOrFolder)
    ? fileURLToPath(new URL(`${nameOrFolder}/`, ownMachines))
    : nameOrFolder
  const documents = new Map<string, JsonObject>()
  let file: unknown
  for (const name of listFiles(folder)) {
    const path = name.split(sep)
    if (name === 'machine.json') file = readJson(join(folder, name))
    if (path.pop() !== 'index.json') continue
    const body = asServed(readJson(join(folder, name)))
    if (!isObject(body)) continue
    documents.set([uris.root, ...path].join('/'), body)
  }
  if (!documents.has(uris.root)) throw new Error(`${folder} holds no service root (index.json)`)
  return createMachine(nameOrFolder, documents, file)
}

function listFiles(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: 'utf8' }).toSorted()
  } catch (error) {
    throw new Error(`no machine called ${folder}: neither one of ${machineNames.join(', ')} nor a folder`, {
      cause: error,
    })
  }
}

function readJson(path: string): Json {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Json
  } catch (error) {
    throw new Error(`${path} is not JSON`, { cause: error })
  }
}

/** `@Redfish.Copyright` belongs in mockup files and nowhere else (DSP0266); an ETag is of what we answer. */
function asServed(value: Json): Json {
  if (Array.isArray(value)) return value.map((item: Json) => asServed(item))
  if (!isObject(value)) return value
  const members = Object.entries(value).filter(([name]) => !ofMockupFiles.has(name))
  return Object.fromEntries(members.map(([name, member]) => [name, asServed(member ?? null)]))
}
