import { buffer } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import type { Machine } from '../../src/bmc/machine.ts'
import { loadMachine } from '../../src/bmc/mockup-folder.ts'
import { buildBundle } from '../../src/image/build/bundle.ts'
import { type ActivationMethod, activationMethods } from '../../src/image/image-format.ts'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator, type TestEmulator, type TestOptions } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { LONG_MS, messageArgs, reset, update } from '../support/updates.ts'

const [SYSTEM, MANAGER] = [uris.system('1'), uris.manager('1')]
const newer: Readonly<Record<string, string>> = {
  'NIC-1': '22.42.1',
  CPLD: '3.1.0',
  BIOS: '1.9.0',
  'BMC-Primary': '2.4.0',
}

/** The reset that a component's update asks for, by the method that the image names. */
const asked: Readonly<Record<string, Readonly<Record<ActivationMethod, string>>>> = {
  // Devices that begin to run a new image by themselves: the image may ask for more.
  ...Object.fromEntries(
    ['NIC-1', 'CPLD'].map((id) => [
      id,
      {
        automatic: '',
        'self-contained': '',
        'medium-specific-reset': `${SYSTEM} GracefulRestart`,
        'system-reboot': `${SYSTEM} GracefulRestart`,
        'dc-power-cycle': `${SYSTEM} PowerCycle`,
        'ac-power-cycle': `${SYSTEM} FullPowerCycle`,
      },
    ]),
  ),
  // Devices that need a restart anyway: no image spares them that.
  BIOS: ownRestart(SYSTEM),
  'BMC-Primary': ownRestart(MANAGER),
}

function ownRestart(resource: string): Readonly<Record<ActivationMethod, string>> {
  const restart = `${resource} GracefulRestart`
  return {
    automatic: restart,
    'self-contained': restart,
    'medium-specific-reset': restart,
    'system-reboot': restart,
    'dc-power-cycle': `${resource} PowerCycle`,
    'ac-power-cycle': `${resource} FullPowerCycle`,
  }
}

function imageOf(id: string, activation: ActivationMethod) {
  return bundleOf({ [id]: newer[id] ?? '' }, { activation })
}

/** The reset that a client is asked for, as resource and ResetType. */
function askedFor(body: JsonObject): string {
  const [action = '', type = ''] = messageArgs(body, 'ResetRequired') ?? []
  return [action.replace(/\/Actions\/.*/, ''), type].filter(Boolean).join(' ')
}

async function runs({ get }: TestEmulator, id: string): Promise<boolean> {
  return (await get(uris.firmware(id)))['Version'] === newer[id]
}

const cases = Object.entries(asked).flatMap(([id, byMethod]) =>
  activationMethods.map((method) => ({ id, method, wanted: byMethod[method] })),
)

describe('the reset that is asked for', () => {
  test.each(cases)('by $method of $id is "$wanted"', async ({ id, method, wanted }) => {
    const emulator = await startEmulator()
    const { task } = await update(emulator, await imageOf(id, method))
    expect(askedFor(task)).toBe(wanted)
    expect(await runs(emulator, id)).toBe(wanted === '')
    const item = await emulator.get(uris.firmware(id))
    const { Conditions = [] } = item['Status'] as { readonly Conditions?: readonly JsonObject[] }
    expect(askedFor({ Messages: Conditions })).toBe(wanted)
  })

  test('of an image that says nothing is the one that its component needs', async () => {
    const emulator = await startEmulator()
    const { task } = await update(emulator, await bundleOf({ BIOS: '1.9.0' }))
    expect(askedFor(task)).toBe(`${SYSTEM} GracefulRestart`)
  })

  test.each([
    [['On', 'ForceRestart', 'PowerCycle'], 'PowerCycle'],
    [['On', 'ForceRestart'], 'ForceRestart'],
    [['FullPowerCycle', 'PowerCycle', 'ForceRestart'], 'FullPowerCycle'],
  ])('of a system that offers %s is %s at most', async (types, wanted) => {
    const emulator = await startEmulator({ machine: offering(types) })
    const { task } = await update(emulator, await imageOf('NIC-1', 'ac-power-cycle'))
    expect(askedFor(task)).toBe(`${SYSTEM} ${wanted}`)
    await reset(emulator, SYSTEM, wanted)
    await emulator.clock.advance(LONG_MS)
    expect(await runs(emulator, 'NIC-1')).toBe(true)
  })
})

/** Each way to let the hardware begin anew, and which methods it is enough for. */
const resets: readonly { readonly types: readonly string[]; readonly enough: readonly ActivationMethod[] }[] =
  [
    { types: ['GracefulRestart'], enough: ['medium-specific-reset', 'system-reboot'] },
    { types: ['ForceRestart'], enough: ['medium-specific-reset', 'system-reboot'] },
    { types: ['PowerCycle'], enough: ['medium-specific-reset', 'system-reboot', 'dc-power-cycle'] },
    { types: ['ForceOff', 'On'], enough: ['medium-specific-reset', 'system-reboot', 'dc-power-cycle'] },
    {
      types: ['FullPowerCycle'],
      enough: ['medium-specific-reset', 'system-reboot', 'dc-power-cycle', 'ac-power-cycle'],
    },
  ]
const needy = activationMethods.slice(2)
const done = resets.flatMap(({ types, enough }) =>
  needy.map((method) => ({ method, types, isEnough: enough.includes(method) })),
)

describe.each(['completed', 'job', 'pending'] as const)('awaitReset %s', (awaitReset) => {
  const options: TestOptions = { adapted: { awaitReset } }

  test.each(done)('$method after $types: $isEnough', async ({ method, types, isEnough }) => {
    const emulator = await startEmulator(options)
    await update(emulator, await imageOf('NIC-1', method))
    await perform(emulator, types)
    expect(await runs(emulator, 'NIC-1')).toBe(isEnough)
    // What was not enough has done no harm: the system is up, and what is asked for still helps.
    expect(await emulator.get(SYSTEM)).toMatchObject({
      PowerState: 'On',
      BootProgress: { LastState: 'OSRunning' },
    })
    await perform(emulator, ['FullPowerCycle'])
    expect(await runs(emulator, 'NIC-1')).toBe(true)
  })

  test.each(['OnReset', 'OnTargetReset'])(
    '%s: a reset that lets an image in and is too weak to activate it boots on, and the other is asked for',
    async (applyTime) => {
      const emulator = await startEmulator(options)
      const when = { '@Redfish.OperationApplyTime': applyTime }
      await update(emulator, await imageOf('BIOS', 'dc-power-cycle'), when)
      await perform(emulator, ['ForceRestart'])
      expect(await emulator.get(SYSTEM)).toMatchObject({
        PowerState: 'On',
        BootProgress: { LastState: 'OSRunning' },
      })
      expect(await runs(emulator, 'BIOS')).toBe(false)
      await perform(emulator, ['PowerCycle'])
      expect(await runs(emulator, 'BIOS')).toBe(true)
    },
  )

  test('OnTargetReset: the reset that the image asks for does both', async () => {
    const emulator = await startEmulator(options)
    const when = { '@Redfish.OperationApplyTime': 'OnTargetReset' }
    const { task } = await update(emulator, await imageOf('CPLD', 'ac-power-cycle'), when)
    const shown = awaitReset === 'job' ? await emulator.get(uris.job('1')) : task
    expect(askedFor(shown)).toBe(`${SYSTEM} FullPowerCycle`)
    await perform(emulator, ['FullPowerCycle'])
    expect(await runs(emulator, 'CPLD')).toBe(true)
  })
})

test.each<readonly [ActivationMethod, ActivationMethod]>([
  ['dc-power-cycle', 'system-reboot'],
  ['system-reboot', 'dc-power-cycle'],
])('a maintenance window does the stronger of %s and %s', async (bios, nic) => {
  const emulator = await startEmulator({ adapted: { awaitReset: 'job' } })
  const told: unknown[] = []
  emulator.bmc.listeners.add(({ overlays = [] }) => {
    for (const [uri, members] of overlays) if (uri === SYSTEM) told.push(members?.['PowerState'])
  })
  const { components } = emulator.bmc.machine
  const parts = Object.entries({ BIOS: bios, 'NIC-1': nic }).map(([name, activation]) => ({
    name,
    activation,
    version: newer[name] ?? '',
    softwareId: components.get(name)?.softwareId ?? '',
    sizeBytes: 512,
  }))
  const image = await buffer(buildBundle(parts))
  const when = { '@Redfish.OperationApplyTime': 'AtMaintenanceWindowStart' }
  await update(emulator, image, when)
  await emulator.clock.advance(4 * 3_600_000)
  expect([await runs(emulator, 'BIOS'), await runs(emulator, 'NIC-1')]).toEqual([true, true])
  // The power went: a restart would have shut it down first.
  expect(told[0]).toBe('Off')
})

test('a staged image that is activated asks for what it asked for when it came', async () => {
  const emulator = await startEmulator()
  await update(emulator, await imageOf('NIC-1', 'dc-power-cycle'), { Stage: true })
  const action = uris.action(uris.firmware('NIC-1-22.42.1'), 'SoftwareInventory.Activate')
  const { json } = await emulator.send(action, { method: 'POST', body: {} })
  await emulator.clock.advance(LONG_MS)
  expect(askedFor(await emulator.get(json['@odata.id'] as string))).toBe(`${SYSTEM} PowerCycle`)
  await perform(emulator, ['GracefulRestart'])
  expect(await runs(emulator, 'NIC-1')).toBe(false)
  await perform(emulator, ['PowerCycle'])
  expect(await runs(emulator, 'NIC-1')).toBe(true)
})

test('a blade’s own system is the one whose power is asked for', async () => {
  const emulator = await startEmulator({ machine: 'bladed' })
  const { softwareId = '' } = emulator.bmc.machine.components.get('Blade2-BIOS') ?? {}
  const image = await bundleOf({ 'Blade2-BIOS': '1.5.0' }, { softwareId, activation: 'ac-power-cycle' })
  const { task } = await update(emulator, image, { Targets: [uris.firmware('Blade2-BIOS')] })
  expect(askedFor(task)).toBe(`${uris.system('Blade2')} FullPowerCycle`)
})

async function perform(emulator: TestEmulator, types: readonly string[]): Promise<void> {
  for (const type of types) {
    expect((await reset(emulator, SYSTEM, type)).status).toBe(204)
    await emulator.clock.advance(LONG_MS)
  }
}

/** A rackmount whose system offers these ResetTypes. */
function offering(types: readonly string[]): Machine {
  const machine = loadMachine('rackmount')
  const system = machine.resources.get(SYSTEM)
  if (system === undefined) throw new Error('rackmount has no system')
  const Actions = {
    '#ComputerSystem.Reset': {
      target: uris.action(SYSTEM, 'ComputerSystem.Reset'),
      'ResetType@Redfish.AllowableValues': types,
    },
  }
  return { ...machine, resources: new Map([...machine.resources, [SYSTEM, { ...system, Actions }]]) }
}
