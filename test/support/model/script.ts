import * as fc from 'fast-check'
import type { Machine } from '../../../src/bmc/machine.ts'
import type { DeviceBehaviour } from '../../../src/bmc/machine-file.ts'
import { applyTimes } from '../../../src/redfish/apply-times.ts'
import type { JsonObject } from '../../../src/redfish/resource.ts'
import { lastSegment, uris } from '../../../src/redfish/uris.ts'
import { ourMachine } from '../machines.ts'
import { managersOf } from './pointed.ts'

/** The machine that a script is for, as it left the factory. */
export interface Setup {
  readonly machine: string
  readonly adapted: Pick<Machine, 'awaitReset' | 'startUpdate' | 'maxParallelFlashes'>
  /** How some of its devices are otherwise than its data says. */
  readonly devices: Readonly<Record<string, Partial<DeviceBehaviour>>>
}

/** Versions by component, as seen from those that run. */
export type Versions = Readonly<Record<string, 'newer' | 'same' | 'older' | 'too old'>>

/** How a source behaves that an image is fetched from. */
export type Source = 'serves' | 'misses' | 'cuts' | 'stalls'

/** One thing that happens. What it is done to is chosen when it happens: `at` counts from the newest. */
export type Operation =
  | { readonly do: 'push' | 'push raw'; readonly versions: Versions; readonly ask: JsonObject }
  | {
      readonly do: 'pull'
      readonly versions: Versions
      readonly ask: JsonObject
      readonly source: Source
    }
  | { readonly do: 'pull a kept image'; readonly at: number; readonly ask: JsonObject }
  | { readonly do: 'reset'; readonly resource: string; readonly type: string }
  | { readonly do: 'move the window'; readonly inS: number; readonly forS: number }
  | { readonly do: 'wait'; readonly s: number }
  /** The service dies, and is started again. */
  | { readonly do: 'die' }
  /** One of the requests that there is something for. */
  | { readonly do: 'meddle'; readonly how: number; readonly at: number }

/** What happens, and how it ends: everything that waits is given what it waits for, or is cancelled. */
export interface Script {
  readonly setup: Setup
  readonly operations: readonly Operation[]
  readonly ending: 'give' | 'cancel'
}

const MAX_OPERATIONS = 14

/** Few enough of a machine's devices that operations meet. */
const few: Readonly<Record<string, RegExp>> = {
  rackmount: /./,
  bladed: /^(EnclosureManager|Blade[12].*|PSU-1)$/,
}

/** Everything that may happen to a machine of this name. */
export function scriptsFor(name: string): fc.Arbitrary<Script> {
  const machine = ourMachine(name)
  return fc.record({
    setup: setupsOf(name, machine),
    operations: fc.array(operationsOn(name, machine), {
      minLength: 1,
      maxLength: MAX_OPERATIONS,
      size: 'max',
    }),
    ending: fc.constantFrom('give', 'cancel'),
  })
}

function setupsOf(name: string, { components, manager }: Machine): fc.Arbitrary<Setup> {
  const ids = [...components.keys()].filter((id) => few[name]?.test(id) ?? true)
  const fails = fc
    .record({
      at: fc.constantFrom('transfer', 'verify', 'install', 'activate'),
      how: fc.constantFrom('fails', 'loses-power', 'hangs', 'slow', 'wrong-version'),
      times: fc.constantFrom(1, 2),
    })
    .filter(({ at, how }) => how !== 'wrong-version' || at === 'activate')
    .map((fail) => ({ fail }))
  const behaviours = fc.oneof<fc.MaybeWeightedArbitrary<Partial<DeviceBehaviour>>[]>(
    { weight: 2, arbitrary: fails },
    fc.constantFrom<Partial<DeviceBehaviour>>(
      { installer: 'software' },
      { onManagerReset: 'goes-on' },
      { onManagerReset: 'starts-again' },
      { spare: 'bank' },
    ),
  )
  const devices = fc
    .uniqueArray(fc.tuple(fc.constantFrom(...ids), behaviours), {
      maxLength: 3,
      selector: ([id]) => id,
    })
    .map((entries) => Object.fromEntries(entries))
  const adapted = fc.record({
    awaitReset: fc.constantFrom('job', 'job', 'pending', 'completed'),
    startUpdate: fc.constantFrom('own-task', 'waiting-tasks'),
    maxParallelFlashes: fc.constantFrom(Infinity, 1, 2),
  })
  const isOfManager = (id: string): boolean => components.get(id)?.behaviour.reset?.resource === manager
  return fc.record({ machine: fc.constant(name), adapted, devices }).map((setup) => ({
    ...setup,
    devices: Object.fromEntries(
      // A manager whose boot waits for a device that hangs answers nobody ever again: nothing is left to be proved.
      Object.entries(setup.devices).filter(
        ([id, { fail }]) => !hangs(fail) || !(isOfManager(id) || setup.adapted.maxParallelFlashes < Infinity),
      ),
    ),
  }))
}

function hangs(fail: DeviceBehaviour['fail'] = []): boolean {
  return [fail].flat().some(({ how }) => how === 'hangs')
}

/** What of a machine its scripts are about. */
interface Things {
  readonly ids: readonly string[]
  readonly systems: readonly string[]
  readonly managers: readonly string[]
}

function operationsOn(name: string, machine: Machine): fc.Arbitrary<Operation> {
  const isOne = (id: string): boolean => few[name]?.test(id) ?? true
  const things: Things = {
    ids: [...machine.components.keys()].filter(isOne),
    systems: [...machine.systems.keys()].filter((uri) => isOne(lastSegment(uri))),
    managers: managersOf(machine).filter((uri) => isOne(lastSegment(uri))),
  }
  const versions = versionsOf(things)
  const ask = asksFor(things)
  const at = fc.constantFrom(0, 0, 0, 1, 2, 3)
  const raw = { ApplyTime: fc.constantFrom(...applyTimes), ForceUpdate: fc.boolean() }
  const source = fc.constantFrom<Source>('serves', 'serves', 'misses', 'cuts', 'stalls')
  const window = {
    inS: fc.constantFrom(-60, 0, 30, 600),
    forS: fc.constantFrom(0, 20, 300, 86_400),
  }
  const seconds = fc.constantFrom(1, 3, 6, 10, 20, 40, 60, 90, 300, 4_000, 100_000)
  return fc.oneof(
    { weight: 8, arbitrary: one('push', { versions, ask }) },
    { weight: 1, arbitrary: one('push raw', { versions, ask: fc.record(raw) }) },
    { weight: 2, arbitrary: one('pull', { versions, ask, source }) },
    { weight: 1, arbitrary: one('pull a kept image', { at, ask }) },
    { weight: 4, arbitrary: resetsOf(things) },
    { weight: 1, arbitrary: one('move the window', window) },
    { weight: 8, arbitrary: one('wait', { s: seconds }) },
    { weight: 2, arbitrary: one('die', {}) },
    { weight: 12, arbitrary: one('meddle', { how: fc.nat(99), at }) },
  )
}

function one<N extends Operation['do'], T>(name: N, members: { [K in keyof T]: fc.Arbitrary<T[K]> }) {
  return fc.record<T>(members).map((rest) => ({ do: name, ...rest }))
}

function versionsOf({ ids }: Things): fc.Arbitrary<Versions> {
  const version = fc.constantFrom('newer', 'newer', 'newer', 'newer', 'same', 'older', 'too old')
  return fc
    .uniqueArray(fc.tuple(fc.constantFrom(...ids), version), {
      minLength: 1,
      maxLength: 3,
      selector: ([id]) => id,
    })
    .map((entries) => Object.fromEntries(entries))
}

function asksFor({ ids, systems, managers }: Things): fc.Arbitrary<JsonObject> {
  const reference = fc.constantFrom(
    ...ids.map(uris.firmware),
    uris.firmwareInventory,
    ...systems,
    ...managers,
  )
  const references = fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.uniqueArray(reference, { minLength: 1, maxLength: 3 }) },
  )
  const rarely = fc.constantFrom(false, false, false, true)
  return fc.record(
    {
      '@Redfish.OperationApplyTime': fc.constantFrom(...applyTimes),
      ForceUpdate: fc.boolean(),
      Stage: rarely,
      LocalImage: rarely,
      Targets: references,
      ExcludeTargets: references,
    },
    { requiredKeys: ['ForceUpdate'] },
  )
}

function resetsOf({ systems, managers }: Things): fc.Arbitrary<Operation> {
  const ofSystem = [
    'ForceRestart',
    'PowerCycle',
    'ForceOff',
    'GracefulShutdown',
    'On',
    'PushPowerButton',
    'Nmi',
  ]
  return fc.oneof(
    one('reset', {
      resource: fc.constantFrom(...systems),
      type: fc.constantFrom('GracefulRestart', 'GracefulRestart', ...ofSystem),
    }),
    one('reset', {
      resource: fc.constantFrom(...managers),
      type: fc.constantFrom('GracefulRestart', 'ForceRestart'),
    }),
  )
}
