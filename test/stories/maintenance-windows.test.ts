import { expect, test } from 'vitest'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator, type TestEmulator, type TestOptions } from '../support/emulator.ts'
import { watchWork } from '../support/flows/watching.ts'
import { bundleOf } from '../support/images.ts'
import { HOUR_MS } from '../support/jobs.ts'
import { messageKeys, push } from '../support/multipart.ts'
import { validateBody } from '../support/schemas.ts'
import { logged, outcome, reset, update } from '../support/updates.ts'

// The clock begins at midnight; the window of rackmount is from two to four.
const [AT_START, ON_RESET] = ['AtMaintenanceWindowStart', 'InMaintenanceWindowOnReset']
const SYSTEM = uris.system('1')
const nicImage = await bundleOf({ 'NIC-1': '22.42.1' })

/** An emulator on which an update waits for the window, and what was seen of it since. */
async function startWaiting(applyTime: string, image = nicImage, options: TestOptions = {}) {
  const emulator = await startEmulator({ adapted: { awaitReset: 'pending' }, ...options })
  const { look } = watchWork(emulator.bmc)
  await push(emulator, image, { '@Redfish.OperationApplyTime': applyTime })
  await emulator.clock.advance(60_000)
  look()
  return { ...emulator, seen: () => look().seen }
}

const move = ({ send }: TestEmulator, start: string, seconds = 7_200) =>
  send(uris.updateService, {
    method: 'PATCH',
    body: {
      '@Redfish.MaintenanceWindow': {
        MaintenanceWindowStartTime: start,
        MaintenanceWindowDurationInSeconds: seconds,
      },
    },
  })
const version = async ({ get }: TestEmulator, id = 'NIC-1'): Promise<unknown> =>
  (await get(uris.firmware(id)))['Version']

test('the window is shown where it can be changed, and wherever else it counts', async () => {
  const emulator = await startEmulator()
  expect((await move(emulator, '2026-01-01T05:00:00Z', 600)).status).toBe(200)
  const service = await emulator.get(uris.updateService)
  expect(validateBody(service)).toEqual([])
  const window = {
    MaintenanceWindowStartTime: '2026-01-01T05:00:00Z',
    MaintenanceWindowDurationInSeconds: 600,
  }
  expect(service).toMatchObject({
    '@Redfish.MaintenanceWindow': window,
    'MultipartHttpPushUri@Redfish.OperationApplyTimeSupport': window,
    Actions: { '#UpdateService.SimpleUpdate': { '@Redfish.OperationApplyTimeSupport': window } },
  })
})

test('an update begins in the millisecond in which the window opens', async () => {
  const emulator = await startWaiting(AT_START)
  await emulator.clock.advance(2 * HOUR_MS - 60_000 - 1)
  expect(emulator.seen()).toEqual({})
  await emulator.clock.advance(1)
  expect(emulator.seen()).toMatchObject({ task: 'Running: TransferringToComponent' })
})

test.each([
  ['earlier', '2026-01-01T01:00:00Z', HOUR_MS],
  ['later', '2026-01-01T03:00:00Z', 3 * HOUR_MS],
])('a window that is moved to %s takes what waits for it with it', async (_where, start, opensMs) => {
  const emulator = await startWaiting(AT_START)
  await move(emulator, start)
  await emulator.clock.advance(opensMs - 60_000 - 1)
  expect(emulator.seen()).toEqual({})
  await emulator.clock.advance(60_000)
  expect(emulator.seen()).toMatchObject({ task: expect.stringMatching(/^Running: .*Completed$/) as string })
  expect(await version(emulator)).toBe('22.42.1')
})

test.each([
  ['now is in it', '2026-01-01T00:00:30Z', 7_200, 'UpdateSuccessful'],
  ['it is over', '2026-01-01T00:00:00Z', 30, 'OperationTimeout'],
])('a window that is moved so that %s settles what waits', async (_where, start, seconds, last) => {
  const emulator = await startWaiting(AT_START)
  await move(emulator, start, seconds)
  await emulator.clock.advance(60_000)
  expect((await outcome(emulator, '1')).keys.at(-1)).toBe(last)
})

test.each([AT_START, ON_RESET])(
  'an update %s that comes when the window is over ends with OperationTimeout',
  async (applyTime) => {
    const emulator = await startEmulator()
    await emulator.clock.advance(5 * HOUR_MS)
    const { task, keys, monitor } = await update(emulator, nicImage, {
      '@Redfish.OperationApplyTime': applyTime,
    })
    expect(task).toMatchObject({ TaskState: 'Exception', TaskStatus: 'Critical' })
    expect({ last: keys.slice(-2), monitor }).toEqual({
      last: ['AwaitToUpdate', 'OperationTimeout'],
      monitor: 500,
    })
    expect(await version(emulator)).toBe('22.41.1000')
    expect(await logged(emulator)).toEqual(['OperationTimeout NIC-1'])
    expect(emulator.spool.entries.size).toBe(0)
    expect((await push(emulator, nicImage)).status).toBe(202)
  },
)

test('an update that comes while the window is open begins at once', async () => {
  const emulator = await startEmulator()
  await emulator.clock.advance(3 * HOUR_MS)
  const { task } = await update(emulator, nicImage, { '@Redfish.OperationApplyTime': AT_START })
  expect(task).toMatchObject({ TaskState: 'Completed' })
  expect(await version(emulator)).toBe('22.42.1')
})

test('a reset before the window opens nothing, one within it does, and one that never comes ends the wait', async () => {
  const emulator = await startWaiting(ON_RESET)
  const others = await startWaiting(ON_RESET)
  await reset(emulator, SYSTEM, 'ForceRestart')
  await emulator.clock.advance(2 * HOUR_MS)
  expect(emulator.seen()).toEqual({})
  await reset(emulator, SYSTEM, 'ForceRestart')
  await emulator.clock.advance(60_000)
  expect(emulator.seen()).toMatchObject({
    task: expect.stringMatching(/UpdateSuccessful → Completed$/) as string,
  })

  await others.clock.advance(4 * HOUR_MS - 60_000 - 1)
  expect(others.seen()).toEqual({})
  await others.clock.advance(1)
  expect(others.seen()).toEqual({
    task: 'Running: OperationTimeout → Exception',
    log: 'told: OperationTimeout',
  })
})

test('when its window opens, the service resets what its devices need, once for all of them', async () => {
  const emulator = await startWaiting(AT_START, await bundleOf({ 'BMC-Primary': '2.4.0' }))
  await push(emulator, await bundleOf({ 'BMC-Primary': '2.4.0' }), {
    Targets: [uris.firmware('BMC-Backup')],
    '@Redfish.OperationApplyTime': AT_START,
  })
  let resets = 0
  emulator.bmc.listeners.add(({ notices = [] }) => {
    resets += notices.filter(({ message }) => message.MessageId.endsWith('.ManagerReset')).length
  })
  await emulator.clock.advance(3 * HOUR_MS)
  expect({
    resets,
    versions: [await version(emulator, 'BMC-Primary'), await version(emulator, 'BMC-Backup')],
  }).toEqual({
    resets: 1,
    versions: ['2.4.0', '2.4.0'],
  })
})

test('the reset that one update needs at the start of the window waits for another that it would strike', async () => {
  const devices = { 'NIC-1': { fail: { at: 'verify', how: 'slow', factor: 20 } } } as const
  const emulator = await startWaiting(AT_START, await bundleOf({ BIOS: '1.9.0' }), {
    adapted: { awaitReset: 'pending' },
    devices,
  })
  await push(emulator, nicImage, { '@Redfish.OperationApplyTime': AT_START })
  await emulator.clock.advance(2 * HOUR_MS)
  expect(await emulator.get(SYSTEM)).toMatchObject({ PowerState: 'On', BiosVersion: '1.8.0' })
  await emulator.clock.advance(HOUR_MS)
  expect([await version(emulator, 'BIOS'), await version(emulator)]).toEqual(['1.9.0', '22.42.1'])
})

test('what waits for a window is cancelled like anything else', async () => {
  const emulator = await startWaiting(AT_START)
  expect((await emulator.send(uris.task('1'), { method: 'DELETE' })).status).toBe(202)
  await emulator.clock.advance(3 * HOUR_MS)
  expect(emulator.seen()).toEqual({ task: 'Cancelling → Cancelled' })
  expect(await version(emulator)).toBe('22.41.1000')
  expect(emulator.spool.entries.size).toBe(0)
})

test.each([
  ['a start that is no time', { MaintenanceWindowStartTime: 'noon' }, 'PropertyValueFormatError'],
  ['a length below zero', { MaintenanceWindowDurationInSeconds: -1 }, 'PropertyValueOutOfRange'],
  ['a member that there is not', { Bogus: 1 }, 'PropertyUnknown'],
])('a window with %s is refused', async (_what, body, key) => {
  const { send } = await startEmulator()
  const answer = await send(uris.updateService, {
    method: 'PATCH',
    body: { '@Redfish.MaintenanceWindow': body },
  })
  expect({ status: answer.status, keys: messageKeys(answer.json) }).toEqual({ status: 400, keys: [key] })
})
