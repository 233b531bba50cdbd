import { expect, test } from 'vitest'
import { uris } from '../../src/redfish/uris.ts'
import { basic, PASSWORD } from '../support/emulator.ts'
import { RECEIVER, recordingSink, subscribe } from '../support/events.ts'
import { startFleet, type TestBmc } from '../support/fleet.ts'
import { bundleOf } from '../support/images.ts'
import { push } from '../support/multipart.ts'
import { LONG_MS, reset } from '../support/updates.ts'

const image = await bundleOf({ 'NIC-1': '99.1.0' })
const SYSTEM = uris.system('1')
const MANAGER = uris.manager('1')
/** Until the devices write. */
const WRITING_MS = 10_000

/** Two of one group, and how many BMCs there are beside them. */
async function startPair(options: Parameters<typeof startFleet>[1] = {}) {
  const started = await startFleet(2, options)
  return { ...started, one: started.at('bmc-0001'), other: started.at('bmc-0002') }
}

const version = async ({ get }: TestBmc, id = 'NIC-1'): Promise<unknown> =>
  (await get(uris.firmware(id)))['Version']
const count = async ({ get }: TestBmc, uri: string): Promise<unknown> =>
  (await get(uri))['Members@odata.count']
const taskState = async ({ get }: TestBmc): Promise<unknown> => (await get(uris.task('1')))['TaskState']

async function logIn({ send }: TestBmc): Promise<string> {
  const body = { UserName: 'admin', Password: PASSWORD }
  const { headers } = await send(uris.sessions, { method: 'POST', user: null, body })
  return String(headers['x-auth-token'])
}

test('a session of one opens no other', async () => {
  const { one, other } = await startPair()
  const token = { user: null, headers: { 'x-auth-token': await logIn(one) } }
  expect((await one.send(uris.updateService, token)).status).toBe(200)
  expect((await other.send(uris.updateService, token)).status).toBe(401)
  expect([await count(one, uris.sessions), await count(other, uris.sessions)]).toEqual([1, 0])
})

test('an account that is changed or locked on one is as it was on the others, which share it', async () => {
  const { one, other } = await startPair()
  const wrong = { headers: { authorization: basic('admin', 'wrong') } }
  const body = { UserName: 'second', Password: 'second-password', RoleId: 'Administrator' }
  await one.send(uris.accounts, { method: 'POST', body })
  const opens = async ({ send }: TestBmc, user: string, password: string): Promise<number> =>
    (await send(uris.updateService, { headers: { authorization: basic(user, password) } })).status
  expect(await opens(one, 'second', 'second-password')).toBe(200)
  expect(await opens(other, 'second', 'second-password')).toBe(401)
  for (let tries = 0; tries < 10; tries++) await one.send(uris.updateService, wrong)
  expect([await opens(one, 'admin', PASSWORD), await opens(other, 'admin', PASSWORD)]).toEqual([401, 200])
})

test('an update of one is no task, version or log entry of another, and both can have theirs at once', async () => {
  const { one, other, clock, fleet } = await startPair()
  const before = await version(other)
  await push(one, image)
  await clock.advance(LONG_MS)
  expect([await version(one), await version(other)]).toEqual(['99.1.0', before])
  expect([await count(one, uris.tasks), await count(other, uris.tasks)]).toEqual([1, 0])
  expect(other.bmc.state.log.size).toBe(0)
  const newer = await bundleOf({ 'NIC-1': '99.2.0' })
  const answers = await Promise.all([one, other].map((bmc) => push(bmc, newer)))
  expect(answers.map(({ status }) => status)).toEqual([202, 202])
  await clock.advance(LONG_MS)
  expect([await version(one), await version(other)]).toEqual(['99.2.0', '99.2.0'])
  // Each counts its own.
  expect([await taskState(one), await taskState(other)]).toEqual(['Completed', 'Completed'])
  expect(fleet.size).toBe(2)
})

test('a reset of one system ends the work on its own devices and on no others', async () => {
  const { one, other, clock } = await startPair()
  for (const bmc of [one, other]) await push(bmc, image)
  await clock.advance(WRITING_MS)
  await reset(one, SYSTEM, 'ForceOff')
  await clock.advance(LONG_MS)
  expect([await taskState(one), await taskState(other)]).toEqual(['Exception', 'Completed'])
  const power = await Promise.all([one, other].map(({ get }) => get(SYSTEM)))
  expect(power.map(({ PowerState }) => PowerState)).toEqual(['Off', 'On'])
})

test('while the manager of one boots, the others answer and keep their sessions', async () => {
  const { fleet, at, clock } = await startFleet({ groups: [{ name: 'blade', count: 2, machine: 'bladed' }] })
  const [one, other] = [at('blade-0001'), at('blade-0002')]
  const tokens = await Promise.all([one, other].map(logIn))
  await reset(one, one.bmc.machine.manager, 'ForceRestart')
  const ask = ({ send }: TestBmc, token = ''): Promise<number> =>
    send(uris.sessions, { user: null, headers: { 'x-auth-token': token } }).then(({ status }) => status)
  expect([await ask(one, tokens[0]), await ask(other, tokens[1])]).toEqual([503, 200])
  await clock.advance(60_000)
  expect([await ask(one, tokens[0]), await ask(other, tokens[1])]).toEqual([401, 200])
  expect(fleet.size).toBe(2)
})

test('events of one are told to its own subscribers only', async () => {
  const recorder = recordingSink()
  const { one, other, clock } = await startPair({ eventSink: recorder.sink })
  await subscribe(one, { Context: 'one' })
  await subscribe(other, { Context: 'other' })
  recorder.deliveries.length = 0
  await push(one, image)
  await reset(one, MANAGER, 'GracefulRestart')
  await clock.advance(LONG_MS)
  const contexts = new Set(recorder.events().map(({ Context }) => Context))
  expect([...contexts]).toEqual(['one'])
  expect(recorder.deliveries.every(({ destination }) => destination === RECEIVER)).toBe(true)
})

test('a fault that was planned for one group strikes each of its BMCs as often, and no other group', async () => {
  const fail = { at: 'install', times: 1 } as const
  const { at, clock } = await startFleet({
    groups: [
      { name: 'bad', count: 2, devices: { 'NIC-1': { fail } } },
      { name: 'good', count: 1 },
    ],
  })
  const all = ['bad-0001', 'bad-0002', 'good-0001'].map(at)
  const ends = async (): Promise<unknown[]> => {
    const accepted = await Promise.all(all.map((bmc) => push(bmc, image)))
    await clock.advance(LONG_MS)
    const tasks = all.map(({ get }, index) => get(uris.task(accepted[index]?.json['Id'] as string)))
    return (await Promise.all(tasks)).map(({ TaskState }) => TaskState)
  }
  expect(await ends()).toEqual(['Exception', 'Exception', 'Completed'])
  expect((await ends()).slice(0, 2)).toEqual(['Completed', 'Completed'])
})

test('devices of each group work at the speed of their group', async () => {
  const { at, clock } = await startFleet({
    groups: [
      { name: 'slow', count: 1 },
      { name: 'fast', count: 1, speed: 100 },
    ],
  })
  const all = ['slow-0001', 'fast-0001'].map(at)
  for (const bmc of all) await push(bmc, image)
  await clock.advance(1_000)
  expect(await Promise.all(all.map(taskState))).toEqual(['Running', 'Completed'])
  for (const bmc of all) await reset(bmc, SYSTEM, 'ForceRestart')
  await clock.advance(1_000)
  const systems = await Promise.all(all.map(({ get }) => get(SYSTEM)))
  expect(systems.map(({ BootProgress }) => BootProgress)).toMatchObject([
    { LastState: 'PrimaryProcessorInitializationStarted' },
    { LastState: 'OSRunning' },
  ])
})

test('what a client writes on one is written on that one', async () => {
  const { one, other } = await startPair()
  const before = await other.get(SYSTEM)
  await one.send(SYSTEM, { method: 'PATCH', body: { AssetTag: 'mine' } })
  await one.send(uris.sessionService, { method: 'PATCH', body: { SessionTimeout: 60 } })
  expect((await one.get(SYSTEM))['AssetTag']).toBe('mine')
  expect(await other.get(SYSTEM)).toEqual(before)
  expect((await other.get(uris.sessionService))['SessionTimeout']).not.toBe(60)
})

test('300 BMCs have updates at once, whose image is kept by all and stored once', async () => {
  const { ids, at, clock, spool } = await startFleet({ groups: [{ name: 'bmc', count: 300, speed: 'max' }] })
  const all = ids().map(at)
  const answers = await Promise.all(all.map((bmc) => push(bmc, image, { LocalImage: true })))
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]))
  await clock.advance(LONG_MS)
  expect(new Set(await Promise.all(all.map((bmc) => version(bmc))))).toEqual(new Set(['99.1.0']))
  expect(new Set(await Promise.all(all.map(taskState)))).toEqual(new Set(['Completed']))
  expect(spool.entries.size).toBe(1)
})
