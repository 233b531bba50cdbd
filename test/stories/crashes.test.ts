import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import type { Machine } from '../../src/bmc/machine.ts'
import { uris } from '../../src/redfish/uris.ts'
import { rackmountWith } from '../support/behaviours.ts'
import { type Death, leftBy, toldOf, watchDeaths } from '../support/crashes.ts'
import { startEmulator, type TestEmulator, type TestOptions } from '../support/emulator.ts'
import { ask, devicesOf, imagesOf, perform, versions } from '../support/flows/perform.ts'
import { type FlowCase, flowCases, flowsIn } from '../support/flows/table.ts'
import { watchWork } from '../support/flows/watching.ts'
import { push } from '../support/multipart.ts'
import { isProof } from '../support/sample.ts'
import { LONG_MS, reset } from '../support/updates.ts'

const before: Readonly<Record<string, string>> = { BIOS: '1.8.2', 'NIC-1': '22.41.1000' }
/** What the BIOS falls back to that was damaged. */
const RECOVERY = '1.8.0'
/** Every moment before an issue is resolved, and else every so many: each flow begins at another. */
const STEP = isProof ? 1 : 11
const PROOF_MS = 1_200_000
/** Brings who was before the maintenance window into it. */
const WINDOW_MS = 7_200_000

/** What a device does whose manager is away: a crash of the service is the same to it. */
const habits = ['fails', 'starts-again', 'goes-on'] as const

/** In every run some of each shape; before an issue is resolved, all. */
const some = flowCases.filter(
  ({ applyTime, devices }, index) =>
    isProof ||
    (devices !== 'no reset' && ['Immediate', 'OnStartUpdateRequest'].includes(applyTime) && index % 2 === 0),
)

const chosen = flowsIn(habits, some)

test.each(chosen)(
  'devices of which an update $circumstance, and the service dies at any commit of: $applyTime, $devices, awaitReset $awaitReset, $startUpdate',
  async (flow) => {
    const { circumstance: habit } = flow
    const options = optionsOf(flow, habit)
    const { deaths, image } = await live(flow, options)
    expect(deaths.length).toBeGreaterThan(10)
    const first = isProof ? 0 : chosen.indexOf(flow) % STEP
    for (let index = first; index < deaths.length; index += STEP)
      await judge(deaths[index], flow, { options, image, index, habit })
  },
  PROOF_MS,
)

function optionsOf(
  { awaitReset, startUpdate, devices }: FlowCase,
  onManagerReset: (typeof habits)[number],
): TestOptions {
  const machine: Machine = rackmountWith(
    Object.fromEntries(devicesOf[devices].map((id) => [id, { onManagerReset }])),
  )
  return { machine, adapted: { awaitReset, startUpdate } }
}

/** A whole life of one update, and every moment at which it could have been cut short. */
async function live(flow: FlowCase, options: TestOptions) {
  const emulator = await startEmulator(options)
  const { look } = watchWork(emulator.bmc)
  const deaths = watchDeaths(emulator)
  const image = imagesOf[flow.devices]
  await ask(emulator, 'a multipart push', flow)
  await emulator.clock.advance(300_000)
  let { messages } = look()
  for (const [act] of flow.acts) {
    if (act === 'the update is asked for') continue
    await perform(emulator, act, messages)
    messages = look().messages
  }
  return { deaths, image }
}

interface Circumstances {
  readonly options: TestOptions
  readonly image: Buffer
  readonly index: number
  readonly habit: (typeof habits)[number]
}

/** Lives on after a death, and judges what became of everything that was promised. */
async function judge(
  death: Death | undefined,
  { devices }: FlowCase,
  { options, image, index, habit }: Circumstances,
): Promise<void> {
  if (death === undefined) throw new Error('nothing to judge')
  const sha256 = createHash('sha256').update(image).digest('hex')
  const left = await leftBy(death, new Map([[sha256, image]]))
  const emulator = await startEmulator({ ...options, after: left })
  const { bmc, clock, spool } = emulator
  const told = toldOf(bmc)
  const wasAsked = bmc.state.tasks.size > 0
  await clock.advance(LONG_MS)
  await doWhatIsWaitedFor(emulator)
  const now = toldOf(bmc)
  for (const [key, earlier] of told) {
    const later = now.get(key)
    const place = `commit ${index}: ${key}`
    expect(later?.endTime, place).toBeDefined()
    expect(later?.messages.slice(0, earlier.messages.length), place).toEqual(earlier.messages)
    expect(later?.percent, place).toBeGreaterThanOrEqual(earlier.percent)
    // What has ended stays as it ended.
    expect(later, place).toEqual(earlier.endTime === undefined ? later : earlier)
  }
  const { operations, resets, components } = bmc.state
  expect({ operations: operations.size, resets: resets.size }, `commit ${index}`).toEqual({
    operations: 0,
    resets: 0,
  })
  for (const id of devicesOf[devices]) {
    const { version = before[id], state = 'Enabled', pending } = components.get(id) ?? {}
    // Nothing but a device that loses its update may end otherwise than without a death.
    const expected =
      habit === 'fails' ? [before[id], versions[id], RECOVERY] : [wasAsked ? versions[id] : before[id]]
    expect(expected, `commit ${index}`).toContain(version)
    expect({ state, pending }, `commit ${index}: ${id}`).toEqual({ state: 'Enabled', pending: undefined })
  }
  // Nobody holds anything any more: the same image can be installed.
  await push(emulator, image, { ForceUpdate: true })
  await clock.advance(LONG_MS)
  await doWhatIsWaitedFor(emulator)
  for (const id of devicesOf[devices])
    expect(await emulator.get(uris.firmware(id)), `commit ${index}`).toMatchObject({
      Version: versions[id],
      Status: { State: 'Enabled', Health: 'OK' },
    })
  await spool.sweep(new Set())
  expect(spool.entries.size, `commit ${index}`).toBe(0)
}

/** Everything that anything may wait for. */
async function doWhatIsWaitedFor(emulator: TestEmulator): Promise<void> {
  const start = uris.action(uris.updateService, 'UpdateService.StartUpdate')
  await emulator.send(start, { method: 'POST', body: {} })
  await emulator.clock.advance(LONG_MS)
  await reset(emulator, uris.system('1'), 'ForceRestart')
  await emulator.clock.advance(10 * LONG_MS)
  await emulator.clock.advance(WINDOW_MS)
  await reset(emulator, uris.system('1'), 'ForceRestart')
  await emulator.clock.advance(10 * LONG_MS)
}
