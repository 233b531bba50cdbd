import { accountOf, hashPassword, type PasswordHash } from '../bmc/accounts.ts'
import { createBmc } from '../bmc/bmc.ts'
import { type Machine, underRules } from '../bmc/machine.ts'
import { loadMachine, loadProfile } from '../bmc/mockup-folder.ts'
import type { Account } from '../bmc/state.ts'
import type { TrustStore } from '../bmc/trust-store.ts'
import { readDevicesFile } from '../faults/devices-file.ts'
import { planFaults } from '../faults/plan.ts'
import { DEFAULT_PASSWORD, parseSpeed } from './bmc-settings.ts'
import type { Group } from './fleet.ts'
import type { BmcSettings, FleetPlan, GroupPlan } from './plan.ts'
import { drawsOf } from './versions.ts'

/** What the groups of a plan are made of. */
export interface Made {
  readonly groups: readonly Group[]
  /** Of each group. */
  readonly machines: readonly Machine[]
  /** Until then nobody can log in: hashing passwords takes another thread its time. */
  readonly hashed: Promise<unknown>
}

/** Makes machines and accounts, each once for all who share it. Throws an Error that says what is wrong of which group. */
export async function makeGroups({ seed, groups: plans }: FleetPlan): Promise<Made> {
  const accounts = new Map<string, Map<string, Account>>()
  const hashing: Promise<unknown>[] = []
  const accountsOf = ({ user, password }: BmcSettings): ReadonlyMap<string, Account> => {
    const key = `${user}:${password}`
    const known = accounts.get(key)
    if (known) return known
    const made = new Map<string, Account>()
    accounts.set(key, made)
    hashing.push(fill(made, user, password))
    return made
  }
  const loaded = new Map<string, Machine>()
  const load = (name: string): Machine => {
    const machine = loaded.get(name) ?? loadMachine(name)
    loaded.set(name, machine)
    return machine
  }
  const prepared = plans.map((plan) => ({ plan, known: accountsOf(plan.settings) }))
  const hashed = Promise.all(hashing)
  // Awaited later: until then a failure is nobody's yet.
  hashed.catch(() => {})
  const mistakes: string[] = []
  const machines: Machine[] = []
  const groups: Group[] = []
  for (const [index, { plan, known }] of prepared.entries()) {
    try {
      const machine = await machineOf(plan.settings, load)
      requireComponents(machine, plan)
      machines.push(machine)
      groups.push(groupOf(plan, machine, { seed, accounts: known }))
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error)
      mistakes.push(seed === undefined ? text : `fleet: /groups/${index} (${plan.name}): ${text}`)
    }
  }
  if (mistakes.length > 0) throw new Error(mistakes.join('\n'))
  return { groups, machines, hashed }
}

/** The default is nobody's secret: it is hashed once for all who start with it in this process. */
let ofDefault: Promise<PasswordHash> | undefined

async function fill(accounts: Map<string, Account>, user: string, password: string): Promise<void> {
  const hashed =
    password === DEFAULT_PASSWORD ? (ofDefault ??= hashPassword(password)) : hashPassword(password)
  const account = accountOf(user, await hashed)
  accounts.set(account.id, account)
}

function groupOf(
  { name, names, versions }: GroupPlan,
  machine: Machine,
  { seed, accounts }: { readonly seed: string | undefined; readonly accounts: ReadonlyMap<string, Account> },
): Group {
  const draw = drawsOf(machine, versions)
  const make: Group['make'] = (number) => {
    const id = names(number)
    if (seed === undefined) return createBmc(id, machine, accounts)
    return createBmc(id, machine, accounts, { seed, components: draw(seed, id) })
  }
  return { name, make }
}

function requireComponents({ components }: Machine, { versions }: GroupPlan): void {
  const unknown = Object.keys(versions).filter((id) => !components.has(id))
  if (unknown.length === 0) return
  throw new Error(`versions of ${unknown.join(', ')}, expected some of ${[...components.keys()].join(', ')}`)
}

/** The machine as its own data and the settings make it. */
async function machineOf(settings: BmcSettings, load: (name: string) => Machine): Promise<Machine> {
  const { machine, profile, awaitReset, startUpdate, devices, speed, trust, unsignedImages } = settings
  const given = load(machine)
  const ruled = profile === '' ? given : underRules(given, loadProfile(profile))
  const adapted: Machine = {
    ...ruled,
    speed: parseSpeed(speed),
    ...(awaitReset !== 'machine' && { awaitReset }),
    ...(startUpdate !== 'machine' && { startUpdate }),
    ...(unsignedImages !== 'machine' && { trust: { ...ruled.trust, unsigned: unsignedImages } }),
    ...(trust !== '' && { trustStore: await trustIn(trust) }),
  }
  if (devices === '') return adapted
  return planFaults(adapted, typeof devices === 'string' ? readDevicesFile(devices) : devices)
}

/** Most runs need nothing of what reads it. */
async function trustIn(folder: string): Promise<TrustStore> {
  const { readTrustFolder } = await import('../image/trust/trust-folder.ts')
  return readTrustFolder(folder)
}
