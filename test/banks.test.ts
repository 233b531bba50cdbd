import { describe, expect, test } from 'vitest'
import {
  activeImage,
  booted,
  chosen,
  imagesOf,
  isActive,
  isChoice,
  shownAt,
  stateAtRest,
  takenOver,
} from '../src/bmc/banks.ts'
import { type Bmc, createBmc, findComponent, machineResource } from '../src/bmc/bmc.ts'
import { commit } from '../src/bmc/commit.ts'
import { createMachine } from '../src/bmc/machine.ts'
import { loadMachine } from '../src/bmc/mockup-folder.ts'
import type { Bank, Boot, Change, ComponentState, StandbyImage } from '../src/bmc/state.ts'
import { uris } from '../src/redfish/uris.ts'

const MANAGER = uris.manager('1')
const ENCLOSURE = uris.manager('EnclosureManager')
const PRIMARY = uris.firmware('BMC-Primary')
const BACKUP = uris.firmware('BMC-Backup')
const now = { since: 7, cause: {} }
const machines = { rackmount: loadMachine('rackmount'), bladed: loadMachine('bladed') }

const previous: StandbyImage = {
  id: 'EnclosureManager-4.1.0',
  kind: 'previous',
  image: 'EnclosureManager 4.1.0',
  version: '4.1.0',
  releaseDate: undefined,
  sizeBytes: 1,
  sha256: 'ab',
  since: 0,
}

function bmcOf(
  machine: keyof typeof machines,
  states: Readonly<Record<string, Partial<ComponentState>>> = {},
): Bmc {
  const bmc = createBmc('1', machines[machine], new Map())
  for (const [id, state] of Object.entries(states)) set(bmc, id, state)
  return bmc
}

function set(bmc: Bmc, id: string, state: Partial<ComponentState>): void {
  commit(bmc, { components: [[id, { ...componentOf(bmc, id).now, ...state }]] })
}

function componentOf(bmc: Bmc, id: string) {
  const component = findComponent(bmc, id)
  if (component === undefined) throw new Error(`no ${id}`)
  return component
}

/** What the pair has become by a change. */
function pairAfter(bmc: Bmc, { components = [] }: Pick<Change, 'components'>) {
  const states = new Map(components)
  const primary = states.get('BMC-Primary') ?? componentOf(bmc, 'BMC-Primary').now
  const backup = states.get('BMC-Backup') ?? componentOf(bmc, 'BMC-Backup').now
  return { boot: primary.boot, states: [primary.state, backup.state] }
}

test.each([
  ['rackmount', MANAGER, [PRIMARY, BACKUP]],
  ['bladed', ENCLOSURE, [uris.firmware('EnclosureManager')]],
  ['bladed', uris.manager('Blade1BMC'), [uris.firmware('Blade1-BMC')]],
  ['rackmount', uris.manager('none'), []],
  ['rackmount', uris.system('1'), []],
] as const)('%s: the images of %s, of which the first runs', (machine, manager, expected) => {
  const bmc = bmcOf(machine)
  expect(imagesOf(bmc, manager).map(({ uri }) => uri)).toEqual(expected)
  expect(activeImage(bmc, manager)?.uri).toBe(expected[0])
})

test('an image in the second bank is one of its manager, and none of the others', () => {
  const bmc = bmcOf('bladed', { EnclosureManager: { standby: [previous] } })
  expect(imagesOf(bmc, ENCLOSURE).map(({ version }) => version)).toEqual(['4.2.0', '4.1.0'])
  expect(activeImage(bmc, ENCLOSURE)?.version).toBe('4.2.0')
  expect(imagesOf(bmc, uris.manager('Blade1BMC'))).toHaveLength(1)
})

test.each([
  [undefined, 'primary', ['Enabled', 'StandbySpare'], '2.3.1'],
  [{ running: 'primary', next: 'backup' }, 'primary', ['Enabled', 'StandbySpare'], '2.3.1'],
  [{ running: 'backup', next: 'backup' }, 'backup', ['StandbySpare', 'Enabled'], '2.3.0'],
  [{ running: 'backup', next: 'primary' }, 'backup', ['StandbySpare', 'Enabled'], '2.3.0'],
] as const)('booted as %j, the %s runs', (boot, bank, states, version) => {
  const bmc = bmcOf('rackmount', boot && { 'BMC-Primary': { boot } })
  const [primary, backup] = [componentOf(bmc, 'BMC-Primary'), componentOf(bmc, 'BMC-Backup')]
  expect(activeImage(bmc, MANAGER)?.uri).toBe(bank === 'primary' ? PRIMARY : BACKUP)
  expect([isActive(bmc, primary.id), isActive(bmc, backup.id)]).toEqual([
    bank === 'primary',
    bank === 'backup',
  ])
  expect([stateAtRest(bmc, primary), stateAtRest(bmc, backup)]).toEqual(states)
  expect(machineResource(bmc, MANAGER)).toMatchObject({ FirmwareVersion: version })
})

test('what is no pair is neither active nor spare, and shown where it was', () => {
  const bmc = bmcOf('rackmount')
  const bios = componentOf(bmc, 'BIOS')
  expect([isActive(bmc, 'BIOS'), stateAtRest(bmc, bios)]).toEqual([undefined, 'Enabled'])
  expect(shownAt(bmc, 'BIOS')).toEqual([uris.system('1')])
  const both = [uris.trustedComponent(uris.chassisMember('1'), 'BMC-RoT'), MANAGER]
  expect([shownAt(bmc, 'BMC-Primary'), shownAt(bmc, 'BMC-Backup')].map((one) => one.toSorted())).toEqual([
    both,
    both,
  ])
})

describe('a choice', () => {
  const choose = (bmc: Bmc, manager: string, uri: string): void => {
    const image = imagesOf(bmc, manager).find((one) => one.uri === uri)
    if (image === undefined) throw new Error(`no ${uri}`)
    commit(bmc, { components: chosen(bmc, manager, image, now) })
  }
  const waiting = { ...previous, image: 'BMC-Primary 2.4.0', version: '2.4.0', sha256: 'cd' }

  test.each([
    [[BACKUP], { running: 'primary', next: 'backup' }],
    [[BACKUP, PRIMARY], undefined],
    [[PRIMARY], undefined],
  ])('of %j is what boots next', (choices, boot) => {
    const bmc = bmcOf('rackmount')
    for (const uri of choices) choose(bmc, MANAGER, uri)
    expect(componentOf(bmc, 'BMC-Primary').now.boot).toEqual(boot)
  })

  test.each<readonly [string, string, Boot | undefined]>([
    ['the image that runs', PRIMARY, undefined],
    ['the image that was chosen before', BACKUP, { running: 'primary', next: 'backup' }],
  ])('of %s changes nothing', (_what, uri, boot) => {
    const bmc = bmcOf('rackmount', boot && { 'BMC-Primary': { boot } })
    const image = imagesOf(bmc, MANAGER).find((one) => one.uri === uri)
    expect(image && chosen(bmc, MANAGER, image, now)).toEqual([])
  })

  test('of what stands by waits for the reset, once, until another is chosen', () => {
    const bmc = bmcOf('bladed', { EnclosureManager: { standby: [previous] } })
    choose(bmc, ENCLOSURE, uris.firmware(previous.id))
    const chosenState = componentOf(bmc, 'EnclosureManager').now
    expect(chosenState.pending).toMatchObject({ version: '4.1.0', sha256: 'ab', since: 7 })
    expect(isChoice(chosenState)).toBe(true)
    const [, again] = imagesOf(bmc, ENCLOSURE)
    expect(again && chosen(bmc, ENCLOSURE, again, { ...now, since: 8 })).toEqual([])
    choose(bmc, ENCLOSURE, uris.firmware('EnclosureManager'))
    expect(componentOf(bmc, 'EnclosureManager').now).toMatchObject({
      pending: undefined,
      standby: [previous],
    })
  })

  test('leaves alone what an update installed, and drops what was chosen before', () => {
    const bmc = bmcOf('rackmount', { 'BMC-Primary': { pending: waiting } })
    choose(bmc, MANAGER, BACKUP)
    expect(componentOf(bmc, 'BMC-Primary').now).toMatchObject({ pending: waiting, boot: { next: 'backup' } })
    const staged = { ...waiting, id: 'BMC-Primary-2.5.0', version: '2.5.0', kind: 'staged' } as const
    set(bmc, 'BMC-Primary', { standby: [staged], pending: undefined })
    choose(bmc, MANAGER, uris.firmware(staged.id))
    expect(componentOf(bmc, 'BMC-Primary').now).toMatchObject({
      pending: { version: '2.5.0' },
      boot: undefined,
    })
    choose(bmc, MANAGER, BACKUP)
    expect(componentOf(bmc, 'BMC-Primary').now).toMatchObject({
      pending: undefined,
      boot: { next: 'backup' },
    })
  })
})

const P = 'primary'
const B = 'backup'
const OK = 'OK'
const CRITICAL = 'Critical'
const ENABLED = ['Enabled', 'StandbySpare']
const SWAPPED = ['StandbySpare', 'Enabled']

test.each<readonly [Bank, Bank, string, string, Bank, number]>([
  [P, P, OK, OK, P, 0],
  [P, B, OK, OK, B, 0],
  [B, P, OK, OK, P, 0],
  [B, B, OK, OK, B, 0],
  [P, P, CRITICAL, OK, B, 1],
  [P, B, OK, CRITICAL, P, 1],
  [B, P, CRITICAL, OK, B, 1],
  [P, P, CRITICAL, CRITICAL, P, 0],
  [P, B, CRITICAL, CRITICAL, B, 0],
])('a boot while the %s runs, of the %s, they being %s and %s, runs the %s', (...row) => {
  const [running, next, primary, backup, runs, notices] = row
  const bmc = bmcOf('rackmount', {
    'BMC-Primary': { boot: { running, next }, health: primary },
    'BMC-Backup': { health: backup },
  })
  const change = booted(bmc, MANAGER)
  expect(change.notices).toHaveLength(notices)
  commit(bmc, { components: change.components })
  expect(activeImage(bmc, MANAGER)?.uri).toBe(runs === P ? PRIMARY : BACKUP)
  expect(booted(bmc, MANAGER).components).toEqual([])
})

test('a component that is being worked on goes on with that when the other begins to run', () => {
  const boot = { running: P, next: B } as const
  const bmc = bmcOf('rackmount', { 'BMC-Primary': { boot }, 'BMC-Backup': { state: 'Updating' } })
  expect(pairAfter(bmc, booted(bmc, MANAGER)).states).toEqual(['StandbySpare', 'Updating'])
})

test('a boot of a manager without a pair changes nothing', () => {
  const bmc = bmcOf('bladed', { EnclosureManager: { standby: [previous], health: CRITICAL } })
  expect(booted(bmc, ENCLOSURE)).toEqual({ components: [], notices: [] })
})

/** How they are booted, which of them failed to run and how it is then, how the other is; what comes of it. */
test.each<readonly [Bank, Bank, Bank, string, string, Boot | undefined, readonly string[], number]>([
  [P, P, P, CRITICAL, OK, { running: B, next: B }, SWAPPED, 1],
  [P, P, P, CRITICAL, CRITICAL, undefined, ENABLED, 0],
  // It fell back to a recovery image.
  [P, P, P, 'Warning', OK, undefined, ENABLED, 0],
  [B, P, P, CRITICAL, OK, { running: B, next: B }, SWAPPED, 1],
  // Nobody tries the spare.
  [P, P, B, CRITICAL, OK, undefined, ENABLED, 0],
  [B, B, B, CRITICAL, OK, undefined, ENABLED, 1],
  [B, B, B, CRITICAL, CRITICAL, { running: B, next: B }, SWAPPED, 0],
])('while the %s runs and the %s is to boot, the %s fails (%s, the other %s)', (...row) => {
  const [running, next, fails, health, otherHealth, boot, states, notices] = row
  const [failing, other] = fails === P ? ['BMC-Primary', 'BMC-Backup'] : ['BMC-Backup', 'BMC-Primary']
  const isOrdinary = running === P && next === P
  const bmc = bmcOf('rackmount', isOrdinary ? {} : { 'BMC-Primary': { boot: { running, next } } })
  for (const id of ['BMC-Primary', 'BMC-Backup'])
    set(bmc, id, { state: stateAtRest(bmc, componentOf(bmc, id)) })
  set(bmc, other, { health: otherHealth })
  const component = componentOf(bmc, failing)
  const change = takenOver(bmc, component, [[failing, { ...component.now, health }]])
  expect(pairAfter(bmc, change)).toEqual({ boot, states })
  expect(new Map(change.components).get(failing)?.health).toBe(health)
  expect(change.notices).toHaveLength(notices)
})

test.each([
  ['rackmount', 'BIOS', []],
  ['rackmount', 'NIC-1', []],
  ['bladed', 'Blade1-BMC', []],
  ['bladed', 'EnclosureManager', [ENCLOSURE]],
] as const)(
  '%s: when an image of %s does not boot, the managers that tell of it are %j',
  (machine, id, origins) => {
    const bmc = bmcOf(machine)
    const { components, notices } = takenOver(bmc, componentOf(bmc, id), [])
    expect(components).toEqual([])
    expect(notices.map(({ origin }) => origin)).toEqual(origins)
  },
)

test.each(['none', 'BMC-Primary'])(
  'a machine whose BMC-Primary has %s as its backup is refused',
  (backup) => {
    const documents = new Map(machines.rackmount.resources)
    const item = machines.rackmount.components.get('BMC-Primary')
    if (item === undefined) throw new Error('no BMC-Primary')
    documents.set(uris.firmwareInventory, {
      '@odata.id': uris.firmwareInventory,
      '@odata.type': '#SoftwareInventoryCollection.SoftwareInventoryCollection',
      Members: [{ '@odata.id': PRIMARY }],
    })
    documents.set(PRIMARY, item.resource)
    const { fail: _fail, ...behaviour } = item.behaviour
    const file = {
      manager: MANAGER,
      maxParallelUploads: 1,
      outage: machines.rackmount.outage,
      systems: {},
      components: { 'BMC-Primary': { ...behaviour, backup } },
    }
    expect(() => createMachine('odd', documents, file)).toThrow(`/components/BMC-Primary/backup: ${backup}`)
  },
)
