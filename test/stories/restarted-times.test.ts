import { describe, expect, test } from 'vitest'
import { VirtualClock } from '../../src/lib/clock.ts'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { addAccount, audit, logIn } from '../support/accounts.ts'
import { basic, startEmulator, type TestEmulator } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { DAY_MS, HOUR_MS } from '../support/jobs.ts'
import { push } from '../support/multipart.ts'
import { LONG_MS, reset } from '../support/updates.ts'

const NIC = uris.firmware('NIC-1')
const TASK = uris.task('1')
const MINUTE_MS = 60_000
const image = await bundleOf({ 'NIC-1': '22.42.1' })

/** The emulator after a crash and a time in which it was down. */
function restarted(dead: TestEmulator, downMs: number): Promise<TestEmulator> {
  const clock = new VirtualClock(dead.clock.now() + downMs)
  return startEmulator({ adapted, after: { journal: dead.journal, spool: dead.spool, clock } })
}

const adapted = { awaitReset: 'pending' } as const
type Deed = (emulator: TestEmulator) => Promise<unknown>
const patch =
  (uri: string, body: JsonObject): Deed =>
  ({ send }) =>
    send(uri, { method: 'PATCH', body })
const pushed =
  (applyTime: string): Deed =>
  async (emulator) => {
    await push(emulator, image, { '@Redfish.OperationApplyTime': applyTime })
    await emulator.clock.advance(MINUTE_MS)
  }
const version: Deed = async ({ get }) => (await get(NIC))['Version']
const statusOf =
  (uri: string, user = 'admin'): Deed =>
  async ({ send }) =>
    (await send(uri, { user })).status
const state: Deed = async ({ get }) => (await get(TASK))['TaskState']
const [OLD, NEW] = ['22.41.1000', '22.42.1']

/** A reader whom wrong passwords lock out for ten minutes. */
const locked: Deed = async (emulator) => {
  const body = { AccountLockoutThreshold: 1, AccountLockoutDuration: 600 }
  await emulator.send(uris.accountService, { method: 'PATCH', body })
  await emulator.send(uris.updateService, { headers: { authorization: basic('reader', 'wrong') } })
}
const endlesslyLocked: Deed = async (emulator) => {
  await emulator.send(uris.accountService, {
    method: 'PATCH',
    body: { AccountLockoutCounterResetEnabled: false },
  })
  await locked(emulator)
}
const isReaderLocked: Deed = async ({ get }) => (await get(uris.account('reader')))['Locked']

interface Case {
  readonly what: string
  /** What was so before the crash, */
  readonly before: readonly Deed[]
  /** and for how long nobody was there then. */
  readonly downMs: number
  /** What is seen as soon as it is back, and so much later. */
  readonly now: readonly [Deed, unknown]
  readonly later: readonly [afterMs: number, Deed, unknown]
}

// The clock begins at midnight; the window of rackmount is from two to four.
const window = '@Redfish.MaintenanceWindow'
const cases: readonly Case[] = [
  {
    what: 'an update that waits for the maintenance window begins when that opens',
    before: [pushed('AtMaintenanceWindowStart')],
    downMs: HOUR_MS - MINUTE_MS,
    now: [version, OLD],
    later: [HOUR_MS + LONG_MS, version, NEW],
  },
  {
    what: 'an update whose window opened meanwhile begins at once',
    before: [pushed('AtMaintenanceWindowStart')],
    downMs: 3 * HOUR_MS,
    now: [state, 'Running'],
    later: [LONG_MS, version, NEW],
  },
  {
    what: 'an update whose window closed meanwhile is not done any more',
    before: [pushed('AtMaintenanceWindowStart')],
    downMs: 5 * HOUR_MS,
    now: [state, 'Exception'],
    later: [DAY_MS / 2, version, OLD],
  },
  {
    what: 'a window that a client moved is where it was moved to',
    before: [
      patch(uris.updateService, {
        [window]: {
          MaintenanceWindowStartTime: '2026-01-01T05:00:00Z',
          MaintenanceWindowDurationInSeconds: 600,
        },
      }),
      pushed('AtMaintenanceWindowStart'),
    ],
    downMs: 4.5 * HOUR_MS,
    now: [state, 'Pending'],
    later: [HOUR_MS, version, NEW],
  },
  {
    what: 'a task that has ended goes when its time is over',
    before: [
      patch(uris.taskService, { TaskAutoDeleteTimeoutMinutes: 30 }),
      pushed('Immediate'),
      pushed('Immediate'),
    ],
    downMs: 10 * MINUTE_MS,
    now: [statusOf(TASK), 200],
    later: [19 * MINUTE_MS, statusOf(TASK), 404],
  },
  {
    what: 'a task whose time was over meanwhile is gone',
    before: [pushed('Immediate'), pushed('Immediate')],
    downMs: DAY_MS,
    now: [statusOf(TASK), 404],
    later: [1, statusOf(uris.tasks), 200],
  },
  {
    what: 'a monitor that was read goes when its time is over',
    before: [
      patch(uris.taskService, { TaskMonitorAutoExpirySeconds: 90 }),
      pushed('Immediate'),
      pushed('Immediate'),
      statusOf(uris.taskMonitor('1')),
    ],
    downMs: 80_000,
    now: [statusOf(uris.taskMonitor('1')), 200],
    later: [10_000, statusOf(uris.taskMonitor('1')), 404],
  },
  {
    what: 'an account that is locked for a time is unlocked when that is over',
    before: [locked],
    downMs: 5 * MINUTE_MS,
    now: [isReaderLocked, true],
    later: [5 * MINUTE_MS, isReaderLocked, false],
  },
  {
    what: 'an account whose lock ended meanwhile is unlocked',
    before: [locked],
    downMs: HOUR_MS,
    now: [isReaderLocked, false],
    later: [1, statusOf(uris.updateService, 'reader'), 200],
  },
  {
    what: 'an account that is locked until somebody unlocks it stays locked',
    before: [endlesslyLocked],
    downMs: DAY_MS,
    now: [isReaderLocked, true],
    later: [DAY_MS, isReaderLocked, true],
  },
  {
    what: 'an account expires in its time',
    before: [(emulator) => addAccount(emulator, 'guest', { AccountExpiration: '2026-01-02T00:00:00Z' })],
    downMs: DAY_MS / 2,
    now: [statusOf(uris.updateService, 'guest'), 200],
    later: [DAY_MS / 2, async ({ get }) => (await get(uris.account('guest')))['Enabled'], false],
  },
  {
    what: 'an account that expired meanwhile is disabled, and the audit log says so once',
    before: [(emulator) => addAccount(emulator, 'guest', { AccountExpiration: '2026-01-02T00:00:00Z' })],
    downMs: 2 * DAY_MS,
    now: [async ({ get }) => (await get(uris.account('guest')))['Enabled'], false],
    later: [
      DAY_MS,
      async (emulator) => (await audit(emulator)).filter((one) => one.includes('AccountDisabled')).length,
      1,
    ],
  },
  {
    what: 'who must change the password first still must',
    before: [(emulator) => addAccount(emulator, 'guest', { PasswordChangeRequired: true })],
    downMs: HOUR_MS,
    now: [statusOf(uris.systems, 'guest'), 403],
    later: [DAY_MS, statusOf(uris.systems, 'guest'), 403],
  },
]

describe('after a restart time has passed as without one:', () => {
  test.each(cases)('$what', async ({ before, downMs, now, later }) => {
    const first = await startEmulator({ adapted })
    for (const deed of before) await deed(first)
    const emulator = await restarted(first, downMs)
    await emulator.clock.advance(1)
    expect(await now[0](emulator)).toEqual(now[1])
    await emulator.clock.advance(later[0])
    expect(await later[1](emulator)).toEqual(later[2])
  })
})

test('sessions end with the service, and their accounts log in again', async () => {
  const first = await startEmulator()
  const { as } = await logIn(first)
  expect((await first.send(uris.systems, as)).status).toBe(200)
  const emulator = await restarted(first, 0)
  expect((await emulator.send(uris.systems, as)).status).toBe(401)
  expect((await emulator.send(uris.systems)).status).toBe(200)
  expect((await emulator.send(uris.systems, (await logIn(emulator)).as)).status).toBe(200)
})

describe('a fault that is planned', () => {
  const devices = { 'NIC-1': { fail: { at: 'install', times: 1 } } } as const
  const update: Deed = async (emulator) => {
    await push(emulator, image)
    await emulator.clock.advance(LONG_MS)
    const [task] = [...emulator.bmc.state.tasks.values()]
      .filter(({ parent }) => parent === undefined)
      .slice(-1)
    return task?.state
  }

  test('strikes no more often for a restart', async () => {
    const first = await startEmulator({ devices })
    expect(await update(first)).toBe('Exception')
    const second = await startEmulator({ devices, after: first })
    expect(await update(second)).toBe('Completed')
    expect(await update(await startEmulator({ devices, after: second }))).toBe('Completed')
  })

  test('strikes though there was a restart before, and so does another that is planned then', async () => {
    const first = await startEmulator({ devices })
    await reset(first, uris.system('1'), 'ForceRestart')
    const second = await startEmulator({ devices, after: first })
    expect(await update(second)).toBe('Exception')
    const others = { 'NIC-1': { fail: { at: 'verify', times: 1 } } } as const
    expect(await update(await startEmulator({ devices: others, after: second }))).toBe('Exception')
  })
})
