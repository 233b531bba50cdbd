import { basename, extname, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { readFacts } from '../devices/command/facts.ts'
import type { Abilities, DeviceAdapter } from '../devices/device.ts'
import type { Clock } from '../lib/clock.ts'
import { fail } from '../lib/result.ts'
import { isObject } from '../redfish/resource.ts'
import { forwarding, type Method } from './method.ts'
import { abilitiesIn, wholeAbilities } from './user-abilities.ts'
import { judgedStages } from './user-stages.ts'

/** What a module of the user's has as its default export. */
export type DeviceModule = (tools: DeviceTools) => OwnAdapter | Promise<OwnAdapter>

/** An adapter that need not have all of an ability's neighbours. */
export type OwnAdapter = Omit<DeviceAdapter, 'abilities'> & { readonly abilities?: Partial<Abilities> }

/** What such a module is given. */
export interface DeviceTools {
  /** The time that the service lives in. */
  readonly clock: Clock
}

const NAME = /^[A-Za-z0-9_.-]{1,64}$/
/** All that is to be there: a member of the port that is missing here does not compile. */
const members = Object.keys({
  look: true,
  reset: true,
  transfer: true,
  verify: true,
  install: true,
  activate: true,
  release: true,
  close: true,
} satisfies { readonly [M in keyof DeviceAdapter as undefined extends DeviceAdapter[M] ? never : M]: true })

/** Loads a module of the user's that reaches devices. Rejects with an Error that names the file and all that is wrong. */
export async function loadUserModule(
  file: string,
  { others, ...tools }: DeviceTools & { readonly others: readonly string[] },
): Promise<Method> {
  const path = resolve(file)
  try {
    const loaded = (await import(pathToFileURL(path).href)) as Readonly<Record<string, unknown>> // as modules are
    const { default: make, name = basename(path, extname(path)) } = loaded
    const isName = typeof name === 'string' && NAME.test(name) && !others.includes(name)
    const mistakes = [
      ...(typeof make === 'function' ? [] : ['its default export is no function']),
      ...(isName
        ? []
        : [`its name is no word of its own (${others.join(', ')} are not): export one as \`name\``]),
    ]
    if (typeof make !== 'function' || !isName) throw new Error(mistakes.join('; '))
    return { id: name, type: 'OEM', variant: name, adapter: judging(judged(await make(tools))) }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new Error(`flasher ${file}: ${why}`, { cause: error })
  }
}

/** What a module has made, where it has all that an adapter has. */
function judged(made: unknown): OwnAdapter {
  const missing = members.filter((name) => !isObject(made) || typeof made[name] !== 'function')
  if (missing.length > 0) throw new Error(`what it makes lacks ${missing.join(', ')}`)
  return made as OwnAdapter // as far as anybody can see
}

/** The same, but that what it says of devices and updates is judged: it is shown to everybody. */
function judging(adapter: OwnAdapter): DeviceAdapter {
  const { abilities } = adapter
  return {
    ...forwarding(adapter),
    ...judgedStages(adapter),
    look: async (device, signal) => {
      const looked = await adapter.look(device, signal)
      if (!looked.ok) return looked
      const facts = readFacts(looked.value, abilitiesIn(abilities))
      return facts.ok ? facts : fail({ kind: 'failed', detail: facts.problem })
    },
    ...(abilities && { abilities: wholeAbilities(abilities) }),
  }
}
