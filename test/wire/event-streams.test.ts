import { describe, expect, onTestFinished, test } from 'vitest'
import { commit } from '../../src/bmc/commit.ts'
import { VirtualClock } from '../../src/lib/clock.ts'
import { uris } from '../../src/redfish/uris.ts'
import { basic } from '../support/emulator.ts'
import { requestBy, submitTest, TEST_EVENT, type ToldEvent } from '../support/events.ts'
import { head, rawClient, startWire, type Wire } from '../support/wire.ts'

interface StreamedEvent {
  readonly id: string
  readonly data: ToldEvent
}

/** A reader of the event stream: what came so far, parsed, and as it was. */
async function openStream(
  { url }: Pick<Wire, 'url'>,
  { query = '', headers = {} }: { readonly query?: string; readonly headers?: Record<string, string> } = {},
) {
  const abort = new AbortController()
  onTestFinished(() => abort.abort())
  const answer = await fetch(`${url}${uris.eventStream}${query}`, {
    headers: { authorization: basic('admin'), accept: 'text/event-stream', ...headers },
    signal: abort.signal,
  })
  let text = ''
  let end: 'clean' | 'cut' | undefined
  const reading = (async () => {
    if (answer.body === null) return
    for await (const chunk of answer.body.pipeThrough(new TextDecoderStream())) text += chunk
  })().then(
    () => (end = 'clean'),
    () => (end = 'cut'),
  )
  const events = (): StreamedEvent[] =>
    text
      .split('\n\n')
      .filter((block) => block.startsWith('id: '))
      .map((block) => {
        const [id = '', data = ''] = block.split('\n')
        return { id: id.slice('id: '.length), data: JSON.parse(data.slice('data: '.length)) as ToldEvent }
      })
  return {
    answer,
    events,
    text: () => text,
    names: () => events().flatMap(({ data }) => data.Events.map(({ MessageId }) => MessageId)),
    isEnded: () => end !== undefined,
    end: () => end,
    close: async () => {
      abort.abort()
      await reading
    },
  }
}

const streams = ({ bmc }: Wire): string[] => [...bmc.state.subscriptions.values()].map(({ kind }) => kind)

describe('an event stream', () => {
  test('is open until it is closed: an EventDestination with an opaque context, gone with it', async () => {
    const wire = await startWire()
    const stream = await openStream(wire)
    expect(stream.answer.status).toBe(200)
    expect(stream.answer.headers.get('content-type')).toBe('text/event-stream')
    expect(stream.answer.headers.get('odata-version')).toBe('4.0')
    expect(stream.answer.headers.get('cache-control')).toBe('no-cache, no-store')
    const uri = uris.eventDestination('1')
    expect((await wire.get(uri)).json).toMatchObject({
      SubscriptionType: 'SSE',
      Protocol: 'Redfish',
      Context: expect.stringMatching(/./),
      Destination: expect.stringMatching(/^redfish-sse:\/\/127\.0\.0\.1:\d+$/),
    })
    await submitTest(wire, 'A')
    await submitTest(wire, 'B')
    await expect.poll(() => stream.names()).toEqual(['Test.1.0.A', 'Test.1.0.B'])
    const ids = stream.events().map(({ id }) => id)
    expect(new Set(ids).size).toBe(2)
    expect(stream.events()[0]?.data.Context).toBe((await wire.get(uri)).json['Context'])
    await stream.close()
    await expect.poll(async () => (await wire.get(uri)).status).toBe(404)
  })

  test('ends when its EventDestination is deleted, and says so', async () => {
    const wire = await startWire()
    const stream = await openStream(wire)
    await requestBy(wire, 'DELETE', uris.eventDestination('1'))
    await expect.poll(() => stream.isEnded()).toBe(true)
    expect(stream.names().at(-1)).toMatch(/^Base\..*SubscriptionTerminated$/)
  })

  test('tells a reader that comes back what it missed, once and in order', async () => {
    const wire = await startWire()
    const first = await openStream(wire)
    await submitTest(wire, 'A')
    await submitTest(wire, 'B')
    await expect.poll(() => first.names()).toHaveLength(2)
    await first.close()
    await expect.poll(() => streams(wire)).toEqual([])
    await submitTest(wire, 'C')
    const filter = `?$filter=${encodeURIComponent("RegistryPrefix eq 'Test'")}`
    const id = first.events()[0]?.id ?? ''
    const second = await openStream(wire, { query: filter, headers: { 'last-event-id': id } })
    await submitTest(wire, 'D')
    await expect.poll(() => second.names()).toEqual(['Test.1.0.B', 'Test.1.0.C', 'Test.1.0.D'])
    const stranger = await openStream(wire, {
      query: filter,
      headers: { 'last-event-id': 'of-another-run-1' },
    })
    await expect.poll(() => stranger.names()).toHaveLength(5)
    expect(stranger.names()[0]).toMatch(/EventBufferExceeded$/)
  })

  test('without Last-Event-ID begins with what is new', async () => {
    const wire = await startWire()
    const first = await openStream(wire)
    await submitTest(wire, 'A')
    await expect.poll(() => first.names()).toHaveLength(1)
    const second = await openStream(wire)
    await submitTest(wire, 'B')
    await expect.poll(() => second.names()).toEqual(['Test.1.0.B'])
  })

  test('tells only what its filter asks for', async () => {
    const wire = await startWire()
    const query = `?$filter=${encodeURIComponent("MessageId eq 'Test.9.9.B' or RegistryPrefix eq 'Nobody'")}`
    const stream = await openStream(wire, { query })
    for (const name of ['A', 'B', 'C', 'B']) await submitTest(wire, name)
    await expect.poll(() => stream.names()).toEqual(['Test.1.0.B', 'Test.1.0.B'])
  })

  test('outlives the session that opened it', async () => {
    const wire = await startWire()
    const login = await requestBy(wire, 'POST', uris.sessions, { UserName: 'admin', Password: 'redflash' })
    const token = login.headers.get('x-auth-token') ?? ''
    const stream = await openStream(wire, { headers: { authorization: '', 'x-auth-token': token } })
    expect(stream.answer.status).toBe(200)
    await requestBy(wire, 'DELETE', login.headers.get('location') ?? '')
    await submitTest(wire, 'A')
    await expect.poll(() => stream.names()).toContain('Test.1.0.A')
    expect(stream.isEnded()).toBe(false)
  })

  test('does not outlive the account that opened it', async () => {
    const wire = await startWire()
    const stream = await openStream(wire)
    const [admin] = wire.bmc.state.accounts.values()
    if (admin === undefined) throw new Error('no account')
    commit(wire.bmc, { accounts: [[admin.id, { ...admin, enabled: false }]] })
    await expect.poll(() => stream.isEnded()).toBe(true)
  })

  test('that is quiet is kept alive by comments', async () => {
    const clock = new VirtualClock()
    const wire = await startWire({ clock })
    const stream = await openStream(wire)
    await expect.poll(() => stream.text()).toBe(':\n\n')
    await clock.advance(19_999)
    expect(stream.text()).toBe(':\n\n')
    await clock.advance(20_001)
    await expect.poll(() => stream.text()).toBe(':\n\n'.repeat(3))
  })

  test('whose reader does not read is dropped before much waits for it, and an update goes on', async () => {
    const wire = await startWire()
    const slow = rawClient(wire.port)
    slow.socket.pause()
    slow.send(head('GET', uris.eventStream))
    await expect.poll(() => streams(wire)).toEqual(['SSE'])
    const filler = 'x'.repeat(4_000)
    const event = {
      MessageId: 'Test.1.0.Filler',
      Message: filler,
      MessageArgs: Array.from({ length: 20 }, () => filler),
    }
    let sent = 0
    while (streams(wire).length > 0 && sent < 1_000) {
      await requestBy(wire, 'POST', TEST_EVENT, event)
      sent += 1
    }
    expect(streams(wire)).toEqual([])
    // More than the backlog and what the kernel holds, much less than everything.
    expect(sent).toBeLessThan(1_000)
    expect((await requestBy(wire, 'GET', uris.eventService)).status).toBe(200)
  })

  test('beyond the limit is refused with JSON, at the limit it is not', async () => {
    const wire = await startWire()
    for (let n = 0; n < 16; n++) expect((await openStream(wire)).answer.status).toBe(200)
    const refused = await fetch(wire.url + uris.eventStream, { headers: { authorization: basic('admin') } })
    expect(refused.status).toBe(503)
    expect(JSON.stringify(await refused.json())).toContain('EventSubscriptionLimitExceeded')
    await requestBy(wire, 'DELETE', uris.eventDestination('1'))
    expect((await openStream(wire)).answer.status).toBe(200)
  })

  test('ends when the service is disabled, and when it ends', async () => {
    const wire = await startWire()
    const first = await openStream(wire)
    await requestBy(wire, 'PATCH', uris.eventService, { ServiceEnabled: false })
    await expect.poll(() => first.isEnded()).toBe(true)
    await requestBy(wire, 'PATCH', uris.eventService, { ServiceEnabled: true })
    const second = await openStream(wire)
    await wire.emulator.close()
    // Ended by us, not cut when the time for grace is over.
    await expect.poll(() => second.end()).toBe('clean')
  })

  test.each(['rackmount', 'bladed'])(
    'of %s tells of the reset that ends it, and later of its end',
    async (machine) => {
      const wire = await startWire({ machine, speed: 200 })
      const stream = await openStream(wire)
      const target = uris.action(wire.bmc.machine.manager, 'Manager.Reset')
      await requestBy(wire, 'POST', target, {})
      await expect.poll(() => stream.isEnded()).toBe(true)
      expect(stream.names()).toEqual([
        'ManagerEvent.1.0.ManagerReset',
        'HeartbeatEvent.1.1.RedfishServiceShuttingDown',
      ])
      await expect.poll(() => wire.bmc.state.outage, { timeout: 10_000 }).toBeUndefined()
      const id = stream.events().at(-1)?.id ?? ''
      const again = await openStream(wire, { headers: { 'last-event-id': id } })
      await expect.poll(() => again.names()).toContain('HeartbeatEvent.1.1.RedfishServiceStarted')
    },
  )
})
