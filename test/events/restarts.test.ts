import { describe, expect, test } from 'vitest'
import { commit } from '../../src/bmc/commit.ts'
import { nextNumber } from '../../src/bmc/numbers.ts'
import { message } from '../../src/redfish/messages/message.ts'
import { lastSegment, uris } from '../../src/redfish/uris.ts'
import { startEmulator, type TestEmulator, type TestOptions } from '../support/emulator.ts'
import { recordingSink, subscribe, TEST_EVENT, told, type ToldEvent } from '../support/events.ts'
import { bundleOf } from '../support/images.ts'
import { push } from '../support/multipart.ts'
import { reset } from '../support/updates.ts'

const STARTED = 'HeartbeatEvent.RedfishServiceStarted redfish/v1'
const INTERVAL_MS = 60_000

type Takes = Parameters<typeof recordingSink>[0]

/** An emulator whose events are heard by the test; `after` another one, if it is to go on with what that one left. */
async function live({ takes, ...options }: TestOptions & { readonly takes?: Takes } = {}) {
  const recorder = recordingSink(takes)
  const emulator = await startEmulator({ ...options, eventSink: recorder.sink })
  /** Lets the service tell of `Test.<name>`. */
  const event = async (name: string): Promise<void> => {
    await emulator.send(TEST_EVENT, { method: 'POST', body: { MessageId: `Test.1.0.${name}` } })
    await emulator.clock.advance(1)
  }
  const heard = (context?: string): string[] =>
    recorder
      .events()
      .filter(({ Context }) => context === undefined || Context === context)
      .flatMap(({ Events }) => Events.map(shortly))
  return { ...emulator, recorder, event, heard }
}

/** A life after that one, which has had a moment to tell what it was to tell. */
async function restarted(after: TestEmulator, options: Parameters<typeof live>[0] = {}) {
  const next = await live({ ...options, after })
  await next.clock.advance(1)
  return next
}

function shortly(record: Parameters<typeof told>[0]): string {
  const [, name] = /^Test\.1\.0\.(.*)$/.exec(record.MessageId) ?? []
  return name ?? told(record)
}

/** What the journal holds of events that are yet to be told. */
function kept({ journal }: Pick<TestEmulator, 'journal'>): string[] {
  return [...journal.read()].flatMap(({ table, key }) =>
    table === 'outbox' || table === 'heldEvents' ? [`${table} ${key}`] : [],
  )
}

const never = (): Promise<boolean> => new Promise(() => {})

describe('a restart', () => {
  test.each<[string, Takes, number]>([
    ['while an event is on its way', never, 0],
    ['between two attempts', () => false, INTERVAL_MS + INTERVAL_MS / 2],
    ['when nobody was ever reached', () => false, 0],
  ])('%s has it sent again, in order, before anything new', async (_when, takes, waitMs) => {
    const first = await live({ takes })
    await subscribe(first, { DeliveryRetryPolicy: 'RetryForever' })
    await first.event('One')
    await first.event('Two')
    await first.clock.advance(waitMs)
    const next = await restarted(first)
    expect(next.heard()).toEqual(['One', 'Two', STARTED])
    // As it was: whoever was sent it twice can tell.
    const [again] = next.recorder.deliveries
    expect(first.recorder.deliveries.map(({ body }) => body)).toContain(again?.body)
    expect(kept(next)).toEqual([])
  })

  test('does not send again what was taken', async () => {
    const first = await live()
    await subscribe(first)
    await first.event('One')
    expect(first.heard()).toEqual(['One'])
    const next = await restarted(first)
    expect(next.heard()).toEqual([STARTED])
    await next.event('Two')
    expect(next.heard()).toEqual([STARTED, 'Two'])
  })

  test('of two subscribers leaves each where it was', async () => {
    const first = await live({ takes: ({ body }) => (body.includes('slow') ? never() : true) })
    for (const Context of ['slow', 'fast'])
      await subscribe(first, { Context, ResourceTypes: ['EventService'] })
    await first.event('One')
    await first.event('Two')
    expect([first.heard('slow'), first.heard('fast')]).toEqual([['One'], ['One', 'Two']])
    const next = await restarted(first)
    await next.event('Three')
    expect([next.heard('slow'), next.heard('fast')]).toEqual([['One', 'Two', 'Three'], ['Three']])
  })

  test('leaves a subscription suspended, and what waits for it waiting', async () => {
    const first = await live()
    const uri = await subscribe(first)
    const suspend = uris.action(uri, 'EventDestination.SuspendSubscription')
    await first.send(suspend, { method: 'POST', body: {} })
    await first.event('One')
    const next = await restarted(first)
    await next.event('Two')
    expect(next.heard()).toEqual([])
    const last = await restarted(next)
    const resume = uris.action(uri, 'EventDestination.ResumeSubscription')
    expect((await last.send(resume, { method: 'POST', body: {} })).status).toBe(204)
    await last.clock.advance(1)
    expect(last.heard().filter((one) => !one.startsWith('Resource'))).toEqual([
      'One',
      STARTED,
      'Two',
      STARTED,
    ])
  })

  test('has attempts counted anew', async () => {
    const first = await live({ takes: () => false })
    const uri = await subscribe(first, { DeliveryRetryPolicy: 'TerminateAfterRetries' })
    await first.event('One')
    const { deliveryRetryAttempts: retries, deliveryRetryIntervalS } = first.bmc.state.settings
    const intervalMs = deliveryRetryIntervalS * 1_000
    await first.clock.advance(retries * intervalMs - 2)
    expect(first.recorder.deliveries).toHaveLength(retries)
    const next = await restarted(first, { takes: () => false })
    await next.clock.advance(retries * intervalMs - 2)
    expect(next.recorder.deliveries).toHaveLength(retries)
    expect((await next.send(uri)).status).toBe(200)
    await next.clock.advance(2)
    expect(next.recorder.deliveries).toHaveLength(retries + 1)
    expect((await next.send(uri)).status).toBe(404)
    expect(kept(next)).toEqual([])
  })

  test('with a full outbox still tells first that something was lost', async () => {
    const first = await live()
    const uri = await subscribe(first, { ResourceTypes: ['EventService'] })
    await first.send(uris.action(uri, 'EventDestination.SuspendSubscription'), { method: 'POST', body: {} })
    const one = message('ResourceEvent.TestMessage')
    for (let n = 1; n <= 501; n++) {
      const numbered = { ...one, MessageId: `Test.1.0.N${n}` }
      commit(first.bmc, { notices: [{ message: numbered, origin: uris.eventService }] })
    }
    const next = await restarted(first)
    await next.send(uris.action(uri, 'EventDestination.ResumeSubscription'), { method: 'POST', body: {} })
    await next.clock.advance(1)
    const origin = uri.split('/').slice(-2).join('/')
    expect(next.heard().slice(0, 3)).toEqual([`Base.EventBufferExceeded ${origin}`, 'N2', 'N3'])
    expect(next.heard()).toHaveLength(501)
    expect(kept(next)).toEqual([])
  })

  test('goes on with heartbeats, and nowhere else', async () => {
    const first = await live()
    await subscribe(first, { Context: 'a', SendHeartbeat: true, HeartbeatIntervalMinutes: 2 })
    await subscribe(first, { Context: 'b' })
    const next = await restarted(first)
    await next.clock.advance(2 * 60_000)
    const functional = 'HeartbeatEvent.RedfishServiceFunctional redfish/v1'
    expect([next.heard('a'), next.heard('b')]).toEqual([[STARTED, functional], [STARTED]])
  })

  test('suspends whom it may reach no longer', async () => {
    const first = await live({ takes: () => false })
    const uri = await subscribe(first)
    const id = lastSegment(uri)
    const one = first.bmc.state.subscriptions.get(id)
    if (one === undefined) throw new Error('not subscribed')
    // As an earlier configuration allowed it.
    commit(first.bmc, { subscriptions: [[id, { ...one, destination: 'http://192.0.2.1/' }]] })
    const next = await restarted(first)
    expect(next.recorder.deliveries).toEqual([])
    expect((await next.get(uri))['Status']).toMatchObject({
      State: 'Disabled',
      Conditions: [{ MessageId: expect.stringMatching(/^Base\..*\.AccessDenied$/) }],
    })
  })

  test('gives no event the name of another one', async () => {
    const ids = ({ recorder }: { readonly recorder: ReturnType<typeof recordingSink> }): string[] =>
      recorder.events().map(({ Id }: ToldEvent) => Id)
    const first = await live()
    const uri = await subscribe(first)
    await first.event('One')
    const second = await restarted(first)
    await second.event('Two')
    await second.send(uri, { method: 'DELETE' })
    // Nobody is left to be told.
    const third = await restarted(second)
    await subscribe(third)
    await third.event('Three')
    const all = [first, second, third].map(ids)
    expect(all.map(({ length }) => length)).toEqual([1, 2, 1])
    expect(new Set(all.flat()).size).toBe(4)
  })

  test('watches no BMC that has no subscription', async () => {
    const first = await live()
    const uri = await subscribe(first)
    await first.event('One')
    await first.send(uri, { method: 'DELETE' })
    const next = await restarted(first)
    const fresh = await live()
    expect(next.bmc.listeners.size).toBe(fresh.bmc.listeners.size)
    expect(kept(next)).toEqual([])
  })

  test('after an orderly end leaves nothing to be told of the end', async () => {
    const first = await live()
    await subscribe(first)
    await push(first, await bundleOf({ 'NIC-1': '22.42.1' }))
    await first.clock.advance(1)
    const before = first.heard()
    await first.app.fastify.close()
    expect(first.heard()).toEqual(before)
    // It was aborted, by what is not kept.
    expect(first.bmc.state.tasks.get('1')?.state).not.toBe('Running')
    expect(kept(first)).toEqual([])
  })
})

describe('a restart while the manager boots', () => {
  const withoutSessions = ({ heard }: { readonly heard: () => string[] }): string[] =>
    heard().filter((one) => !one.startsWith('ResourceEvent.ResourceRemoved'))

  test('tells when it is back what was held, and its reset not again', async () => {
    const first = await live()
    const { manager, outage } = first.bmc.machine
    await subscribe(first)
    await reset(first, manager, 'GracefulRestart')
    await first.clock.advance(outage.bootMs / 2)
    const origin = manager.split('/').slice(-2).join('/')
    expect(withoutSessions(first)).toEqual([
      `ManagerEvent.ManagerReset ${origin}`,
      'HeartbeatEvent.RedfishServiceShuttingDown redfish/v1',
    ])
    const next = await restarted(first)
    expect(next.heard()).toEqual([])
    expect(next.bmc.state.outage).toBe(outage.kind)
    await next.clock.advance(outage.bootMs - 3)
    expect(next.heard()).toEqual([])
    await next.clock.advance(10)
    expect(next.heard()[0]).toBe(`ResourceEvent.ResourceStateChanged ${origin}`)
    expect(next.heard().filter((one) => one === STARTED)).toEqual([STARTED])
    expect(next.heard().filter((one) => one.includes('ManagerReset'))).toEqual([])
    expect(kept(next)).toEqual([])
  })

  test('that was only promised to do so comes before all of it', async () => {
    const first = await live()
    const { manager, outage } = first.bmc.machine
    await subscribe(first)
    commit(first.bmc, { resets: [[manager, { type: 'GracefulRestart', wasOff: false }]] })
    const next = await restarted(first)
    const origin = manager.split('/').slice(-2).join('/')
    const farewell = [
      STARTED,
      `ManagerEvent.ManagerReset ${origin}`,
      'HeartbeatEvent.RedfishServiceShuttingDown redfish/v1',
    ]
    expect(next.heard()).toEqual(farewell)
    await next.clock.advance(outage.bootMs + 10)
    expect(next.heard().filter((one) => one.includes('RedfishService'))).toEqual([
      STARTED,
      farewell.at(-1),
      STARTED,
    ])
  })

  test('loses nothing of it by another one', async () => {
    const first = await live()
    const { manager, outage } = first.bmc.machine
    await subscribe(first)
    await reset(first, manager, 'GracefulRestart')
    const held = kept(first)
    expect(held.length).toBeGreaterThan(0)
    const second = await restarted(first)
    const third = await restarted(second)
    expect(kept(third).slice(0, held.length)).toEqual(held)
    await third.clock.advance(outage.bootMs + 10)
    expect(third.heard()[0]).toContain('ResourceEvent.ResourceStateChanged')
    expect(third.heard().filter((one) => one === STARTED)).toEqual([STARTED])
  })
})

describe('nothing is kept', () => {
  test.each<[string, (emulator: Awaited<ReturnType<typeof live>>, uri: string) => Promise<unknown>]>([
    ['of a subscription that is removed', ({ send }, uri) => send(uri, { method: 'DELETE' })],
    ['of a subscriber that is given up', ({ clock }) => clock.advance(10 * INTERVAL_MS)],
    [
      'of a BMC that is gone',
      ({ app, bmc, journal }) => {
        journal.forget(bmc.id)
        return app.forget(bmc)
      },
    ],
    [
      'of the end of work for a BMC that is gone',
      async (emulator) => {
        const { app, bmc, journal } = emulator
        await push(emulator, await bundleOf({ 'NIC-1': '99.1.0' }))
        await emulator.clock.advance(10_000)
        journal.forget(bmc.id)
        return app.forget(bmc)
      },
    ],
  ])('%s', async (_whom, end) => {
    const emulator = await live({ takes: () => false })
    const uri = await subscribe(emulator, { DeliveryRetryPolicy: 'TerminateAfterRetries' })
    await emulator.event('One')
    await emulator.event('Two')
    expect(kept(emulator)).toEqual(['outbox 1/1', 'outbox 1/2'])
    await end(emulator, uri)
    expect(kept(emulator)).toEqual([])
  })
})

test.each([0, 1])('what a removal left in the middle is swept with %i others subscribed', async (others) => {
  const first = await live({ takes: () => false })
  for (let n = 0; n < others; n++) await subscribe(first)
  const left = [
    { table: 'outbox', key: '7/1', value: { body: '{}', at: 0 } },
    { table: 'outbox', key: '7/lost', value: true },
    { table: 'heldEvents', key: 'a-1', value: { id: 'a-1', at: 0, records: [] } },
  ]
  for (const one of left) first.journal.write({ owner: first.bmc.id, ...one })
  const next = await restarted(first)
  expect(next.recorder.deliveries).toHaveLength(others)
  expect(kept(next)).toEqual([])
})

test('the number of a stream is not given again after a restart', async () => {
  const first = await live()
  await subscribe(first)
  const [one] = first.bmc.state.subscriptions.values()
  if (one === undefined) throw new Error('not subscribed')
  const id = String(nextNumber(first.bmc, 'subscriptions'))
  commit(first.bmc, { subscriptions: [[id, { ...one, id, kind: 'SSE' }]] })
  const next = await restarted(first)
  expect(lastSegment(await subscribe(next))).toBe('3')
})
