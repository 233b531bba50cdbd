import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import type { Bmc } from '../../src/bmc/bmc.ts'
import { uris } from '../../src/redfish/uris.ts'
import { PASSWORD } from '../support/emulator.ts'
import { recordingSink, subscribe } from '../support/events.ts'
import { startFleet, type TestBmc } from '../support/fleet.ts'
import { bundleOf } from '../support/images.ts'
import { makeJob } from '../support/jobs.ts'
import { push } from '../support/multipart.ts'
import { LONG_MS, reset } from '../support/updates.ts'

const image = await bundleOf({ 'NIC-1': '99.1.0' })
const newer = await bundleOf({ 'NIC-2': '99.1.0' })
const second = { UserName: 'second', Password: 'second-password', RoleId: 'ReadOnly' }
const DAY_MS = 86_400_000

/** Gives a BMC something of everything that goes on by itself. */
async function busy(bmc: TestBmc): Promise<void> {
  const { send, clock } = bmc
  await subscribe(bmc, { SendHeartbeat: true, HeartbeatIntervalMinutes: 1 })
  await push(bmc, image, { LocalImage: true })
  await clock.advance(LONG_MS)
  await send(uris.sessions, { method: 'POST', user: null, body: { UserName: 'admin', Password: PASSWORD } })
  await send(uris.accounts, {
    method: 'POST',
    body: { ...second, AccountExpiration: '2026-03-01T00:00:00Z' },
  })
  await makeJob(bmc, {
    Payload: { HttpOperation: 'PATCH', TargetUri: uris.sessionService, JsonBody: '{"SessionTimeout": 60}' },
    Schedule: { RecurrenceInterval: 'PT1H' },
  })
  await push(bmc, newer, { '@Redfish.OperationApplyTime': 'OnReset' })
  await push(bmc, image, { ForceUpdate: true })
  await reset(bmc, uris.manager('1'), 'GracefulRestart')
  await clock.advance(1_000)
}

test('a BMC that is removed is not found, its work ends, and what it kept is gone; the others go on', async () => {
  const recorder = recordingSink()
  const { fleet, at, clock, spool, ids } = await startFleet(3, { eventSink: recorder.sink })
  const [one, other] = [at('bmc-0001'), at('bmc-0002')]
  await push(other, image)
  await busy(one)
  expect(spool.entries.size).toBeGreaterThan(0)
  expect(await fleet.remove('bmc-0001')).toBe(true)
  expect(ids()).toEqual(['bmc-0002', 'bmc-0003'])
  const { version } = one.bmc.state
  recorder.deliveries.length = 0
  await clock.advance(DAY_MS)
  expect(one.bmc.state.version).toBe(version)
  expect(recorder.deliveries).toEqual([])
  expect(spool.entries.size).toBe(0)
  expect((await other.get(uris.firmware('NIC-1')))['Version']).toBe('99.1.0')
})

test('one that takes its place is as it left the factory', async () => {
  const fail = { at: 'install', times: 1 } as const
  const { fleet, at, clock } = await startFleet({
    groups: [{ name: 'bmc', count: 2, devices: { 'NIC-1': { fail } } }],
  })
  const before = await at('bmc-0001').get(uris.system('1'))
  await busy(at('bmc-0001'))
  await fleet.remove('bmc-0001')
  await fleet.add('bmc')
  const again = at('bmc-0001')
  expect(fleet.find('bmc-0001')?.slot).toBe(0)
  expect(await again.get(uris.system('1'))).toEqual(before)
  expect((await again.get(uris.tasks))['Members@odata.count']).toBe(0)
  // Its devices know nothing of what struck those that were there.
  const { json } = await push(again, image)
  await clock.advance(LONG_MS)
  expect((await again.get(uris.task(json['Id'] as string)))['TaskState']).toBe('Exception')
})

test('nothing of a BMC that is removed stays in memory', async () => {
  const { fleet, at, clock } = await startFleet(2, { eventSink: recordingSink().sink })
  const gone = await removed(fleet, at)
  await clock.advance(1)
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  if (typeof collect !== 'function') throw new Error('nobody collects garbage')
  // Whoever looks keeps it alive until the turn is over: nobody looks before the end.
  for (let times = 0; times < 3; times++) {
    await new Promise((resolve) => setTimeout(resolve))
    collect()
  }
  expect(gone.deref() === undefined).toBe(true)
})

async function removed(
  fleet: Awaited<ReturnType<typeof startFleet>>['fleet'],
  at: (id: string) => TestBmc,
): Promise<WeakRef<Bmc>> {
  const one = at('bmc-0001')
  await busy(one)
  await fleet.remove('bmc-0001')
  return new WeakRef(one.bmc)
}
