import { expect, test } from 'vitest'
import { findComponent } from '../../src/bmc/bmc.ts'
import type { DevicePlans } from '../../src/faults/plan.ts'
import { uris } from '../../src/redfish/uris.ts'
import { startFleet, type TestBmc } from '../support/fleet.ts'
import { bundleOf } from '../support/images.ts'
import { messageKeys, push } from '../support/multipart.ts'
import { LONG_MS } from '../support/updates.ts'

const OLD = '22.41.1000'
const NEW = '99.1.0'
/** Until devices write: a reset comes in the middle of it. */
const WRITING_MS = 10_000
/** It takes a few seconds where nothing else runs. */
const PATIENCE_MS = 120_000
const image = await bundleOf({ 'NIC-1': NEW }, { sizeBytes: 512 })

/** What becomes of the update of a BMC. */
interface Ending {
  readonly state: string
  readonly last: string | undefined
  readonly version: string | undefined
  readonly health: string | undefined
}

interface Reset {
  readonly action: string
  readonly type: string
}

interface Lot {
  readonly count: number
  readonly devices?: DevicePlans
  /** What is reset while devices are written. */
  readonly resets?: Reset
  readonly ending: Ending
}

const failing = (fail: DevicePlans[string]['fail']): DevicePlans => ({ 'NIC-1': { fail } })
const good: Ending = { state: 'Completed', last: 'UpdateSuccessful', version: NEW, health: 'OK' }
const bad = (last: string, health = 'OK'): Ending => ({ state: 'Exception', last, version: OLD, health })

/** Lots of BMCs that are to end alike, whatever becomes of the others. */
const lots: Readonly<Record<string, Lot>> = {
  good: { count: 160, ending: good },
  slow: { count: 20, devices: failing({ at: 'verify', how: 'slow' }), ending: good },
  unreached: { count: 20, devices: failing({ at: 'transfer' }), ending: bad('TransferFailed') },
  mangled: {
    count: 20,
    devices: failing({ at: 'transfer', how: 'corrupts' }),
    ending: bad('VerificationFailed'),
  },
  broken: {
    count: 20,
    devices: failing({ at: 'install', after: '40%' }),
    ending: bad('ApplyFailed', 'Critical'),
  },
  // They say that all went well.
  unchanged: {
    count: 20,
    devices: failing({ at: 'activate', how: 'wrong-version' }),
    ending: { ...good, version: OLD },
  },
  off: {
    count: 20,
    resets: { action: uris.action(uris.system('1'), 'ComputerSystem.Reset'), type: 'ForceOff' },
    ending: bad('ApplyFailed', 'Critical'),
  },
  rebooted: {
    count: 20,
    resets: { action: uris.action(uris.manager('1'), 'Manager.Reset'), type: 'ForceRestart' },
    ending: bad('ApplyFailed', 'Critical'),
  },
}

async function reset({ send }: TestBmc, { action, type }: Reset): Promise<number> {
  return (await send(action, { method: 'POST', body: { ResetType: type } })).status
}

async function endingOf({ bmc, get }: TestBmc): Promise<Ending> {
  const task = await get(uris.task('1'))
  const now = findComponent(bmc, 'NIC-1')?.now
  return {
    state: task['TaskState'] as string,
    last: messageKeys(task).at(-1),
    version: now?.version,
    health: now?.health,
  }
}

test(
  'three hundred BMCs are updated at once, each ends as its own devices and resets have it, and nothing is left',
  async () => {
    const groups = Object.entries(lots).map(([name, { count, devices = '' }]) => ({ name, count, devices }))
    const { at, ids, clock, spool } = await startFleet({ groups })
    expect(ids()).toHaveLength(300)
    const all = ids().map((id) => ({ id, one: at(id), lot: lots[id.replace(/-\d+$/, '')] ?? lots['good'] }))

    const answers = await Promise.all(all.map(({ one }) => push(one, image)))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]))
    // The same bytes, whoever sent them.
    expect(spool.entries.size).toBe(1)
    await clock.advance(WRITING_MS)
    const begun = await Promise.all(
      all.flatMap(({ one, lot }) => (lot?.resets ? [reset(one, lot.resets)] : [])),
    )
    expect(begun).toEqual(Array.from({ length: 40 }, () => 204))
    await clock.advance(LONG_MS)

    const endings = await Promise.all(all.map(async ({ id, one }) => [id, await endingOf(one)]))
    expect(Object.fromEntries(endings)).toEqual(
      Object.fromEntries(all.map(({ id, lot }) => [id, lot?.ending])),
    )
    for (const {
      one: { bmc },
    } of all) {
      const { tasks, operations, resets, jobs, components, outage } = bmc.state
      expect([tasks.size, operations.size, resets.size, jobs.size, outage]).toEqual([1, 0, 0, 0, undefined])
      expect([...components.keys()].filter((id) => id !== 'NIC-1')).toEqual([])
    }
    expect(spool.entries.size).toBe(0)
  },
  PATIENCE_MS,
)
