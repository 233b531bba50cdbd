import { readdirSync, readFileSync } from 'node:fs'
import { join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isObject, type Json, type JsonObject } from '../redfish/resource.ts'
import { uris } from '../redfish/uris.ts'
import { createMachine, type Machine } from './machine.ts'
import { type GivenRules, rulesOfProfile } from './update-rules.ts'

const ownMachines = new URL('../../mockups/', import.meta.url)
const ofMockupFiles: ReadonlySet<string> = new Set(['@Redfish.Copyright', '@odata.etag'])

/** The machines that come with redflash. */
export const machineNames: readonly string[] = ['rackmount', 'bladed']

/** What a console is itself: the rest is attached to it. */
export const CONSOLE = 'console'

/** The rules of real update services that come with redflash. */
export const profileNames: readonly string[] = ['lenovo-xcc3']

/** Loads the rules that a profile makes for an update service. Throws an Error where there is none of that name. */
export function loadProfile(name: string): GivenRules {
  if (!profileNames.includes(name))
    throw new Error(`no profile called ${name}: there is ${profileNames.join(', ')}`)
  return rulesOfProfile(name, readJson(fileURLToPath(new URL(`profiles/${name}.json`, ownMachines))))
}

/**
 * Loads one of our machines by name, or a folder in DMTF's mockup layout: below the folder of the service root, every
 * URI segment is a folder and every resource an `index.json`. Throws an Error that names what cannot be read.
 */
export function loadMachine(nameOrFolder: string): Machine {
  const isOurs = nameOrFolder === CONSOLE || machineNames.includes(nameOrFolder)
  const folder = isOurs ? fileURLToPath(new URL(`${nameOrFolder}/`, ownMachines)) : nameOrFolder
  const documents = new Map<string, JsonObject>()
  let file: unknown
  for (const name of listFiles(folder)) {
    const path = name.split(sep)
    if (name === 'machine.json') file = withProfile(readJson(join(folder, name)))
    if (path.pop() !== 'index.json') continue
    const body = asServed(readJson(join(folder, name)))
    if (!isObject(body)) continue
    documents.set([uris.root, ...path].join('/'), body)
  }
  if (!documents.has(uris.root)) throw new Error(`${folder} holds no service root (index.json)`)
  return createMachine(nameOrFolder, documents, file, isOurs)
}

/** `machine.json` with the rules of the profile that it names beneath its own. */
function withProfile(file: Json): Json {
  if (!isObject(file) || typeof file['profile'] !== 'string') return file
  const { profile, updateRules = {}, ...others } = file
  // What is no object is told as such when the whole is judged.
  return {
    ...others,
    updateRules: isObject(updateRules) ? { ...loadProfile(profile), ...updateRules } : updateRules,
  }
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
