import { expect, test } from 'vitest'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator, type TestEmulator } from '../support/emulator.ts'
import { messageKeys } from '../support/multipart.ts'
import { validateBody, validateError } from '../support/schemas.ts'
import { reset } from '../support/updates.ts'

const SYSTEM = uris.system('1')
const ACTION = uris.action(SYSTEM, 'ComputerSystem.Reset')

/** What a client that looks every second sees of the system, each state once. */
async function watch({ get, clock }: TestEmulator, seconds = 90): Promise<string[]> {
  const seen: string[] = []
  for (let second = 0; second < seconds; second++) {
    const system = await get(SYSTEM)
    expect(validateBody(system)).toEqual([])
    const { PowerState, BootProgress } = system as {
      readonly PowerState?: string
      readonly BootProgress?: { readonly LastState: string }
    }
    const state = `${PowerState} ${BootProgress?.LastState}`
    if (state !== seen.at(-1)) seen.push(state)
    await clock.advance(1_000)
  }
  return seen
}

const booting = [
  'On PrimaryProcessorInitializationStarted',
  'On MemoryInitializationStarted',
  'On PCIResourceConfigStarted',
  'On SystemHardwareInitializationComplete',
  'On OSBootStarted',
  'On OSRunning',
]
const running = ['On OSRunning']
const off = ['Off None']
const shutdown = ['PoweringOff OSRunning', ...off]

/** What each ResetType does to a system that runs, and to one that is off. */
const effects: Readonly<Record<string, { readonly on: string[]; readonly off: string[] }>> = {
  On: { on: running, off: booting },
  ForceOn: { on: running, off: booting },
  ForceOff: { on: off, off },
  GracefulShutdown: { on: shutdown, off },
  GracefulRestart: { on: ['PoweringOff OSRunning', ...booting], off: booting },
  ForceRestart: { on: booting, off: booting },
  PowerCycle: { on: booting, off: booting },
  FullPowerCycle: { on: booting, off: booting },
  PushPowerButton: { on: shutdown, off: booting },
  Nmi: { on: running, off },
}

test('these are the ResetTypes that the system of rackmount allows', async () => {
  const { get } = await startEmulator()
  expect(await get(SYSTEM)).toMatchObject({
    Actions: {
      '#ComputerSystem.Reset': {
        target: ACTION,
        'ResetType@Redfish.AllowableValues': expect.toSatisfy(
          (types: string[]) => types.toSorted().join() === Object.keys(effects).toSorted().join(),
        ) as unknown,
      },
    },
  })
})

test.each(Object.entries(effects))('%s of a system that runs', async (type, effect) => {
  const emulator = await startEmulator()
  expect(await reset(emulator, SYSTEM, type)).toMatchObject({ status: 204, text: '' })
  expect(await watch(emulator)).toEqual(effect.on)
})

test.each(Object.entries(effects))('%s of a system that is off', async (type, effect) => {
  const emulator = await startEmulator()
  await reset(emulator, SYSTEM, 'ForceOff')
  expect((await reset(emulator, SYSTEM, type)).status).toBe(204)
  expect(await watch(emulator)).toEqual(effect.off)
})

test('a boot takes the time that the machine says, to the millisecond', async () => {
  const { send, clock, get } = await startEmulator()
  await send(ACTION, { method: 'POST', body: { ResetType: 'ForceRestart' } })
  await clock.advance(59_999)
  expect(await get(SYSTEM)).toMatchObject({ BootProgress: { LastState: 'OSBootStarted' } })
  await clock.advance(1)
  expect(await get(SYSTEM)).toMatchObject({ BootProgress: { LastState: 'OSRunning' } })
})

test('a reset answers before it happens', async () => {
  const { send, clock, get } = await startEmulator()
  await send(ACTION, { method: 'POST', body: { ResetType: 'ForceOff' } })
  await clock.advance(0)
  expect(await get(SYSTEM)).toMatchObject({ PowerState: 'Off' })
})

test.each([
  ['ForceOff', off],
  ['GracefulShutdown', ['PoweringOff MemoryInitializationStarted', ...off]],
  ['Nmi', booting.slice(1)],
  ['On', booting.slice(1)],
  ['ForceRestart', booting],
])('%s of a system that boots', async (type, expected) => {
  const emulator = await startEmulator()
  await reset(emulator, SYSTEM, 'ForceRestart')
  await emulator.clock.advance(10_000)
  await reset(emulator, SYSTEM, type)
  expect(await watch(emulator)).toEqual(expected)
})

test.each([
  [
    'a type that the schema knows and the machine does not',
    { ResetType: 'Suspend' },
    'ActionParameterValueNotInList',
  ],
  ['a type that nobody knows', { ResetType: 'Kick' }, 'ActionParameterValueNotInList'],
  ['a type in lower case', { ResetType: 'forceoff' }, 'ActionParameterValueNotInList'],
  ['a number', { ResetType: 1 }, 'ActionParameterValueTypeError'],
  ['null', { ResetType: null }, 'ActionParameterValueTypeError'],
  ['an unknown parameter', { ResetType: 'ForceOff', Delay: 5 }, 'ActionParameterUnknown'],
])('a reset with %s is 400 and does nothing', async (_what, body, key) => {
  const { send, clock, get } = await startEmulator()
  const before = await get(SYSTEM)
  const answer = await send(ACTION, { method: 'POST', body })
  expect(answer.status).toBe(400)
  expect(messageKeys(answer.json)).toEqual([key])
  expect(validateError(answer.json)).toEqual([])
  await clock.advance(1_000)
  expect(await get(SYSTEM)).toEqual(before)
})

test('each blade has its own power', async () => {
  const emulator = await startEmulator({ machine: 'bladed' })
  await reset(emulator, uris.system('Blade2'), 'ForceOff')
  const states = ['Blade1', 'Blade2', 'Blade3'].map(
    async (blade) => (await emulator.get(uris.system(blade)))['PowerState'],
  )
  expect(await Promise.all(states)).toEqual(['On', 'Off', 'On'])
})

test('a manager is reset in the ways that it allows, and in no others', async () => {
  const { send } = await startEmulator({ machine: 'bladed' })
  const action = uris.action(uris.manager('Blade1BMC'), 'Manager.Reset')
  const statuses = ['GracefulRestart', 'ForceRestart', 'ForceOff', 'On'].map(
    async (ResetType) => (await send(action, { method: 'POST', body: { ResetType } })).status,
  )
  expect(await Promise.all(statuses)).toEqual([204, 204, 400, 400])
  expect((await send(action, { method: 'POST' })).status).toBe(204)
})
