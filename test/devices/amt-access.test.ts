import { CIM } from '@device-management-toolkit/wsman-messages'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Connections } from '../../src/devices/amt/connection.ts'
import { first } from '../../src/devices/amt/management.ts'
import { elementAt, readXml, textAt } from '../../src/devices/amt/xml-reader.ts'
import { type Clock, VirtualClock } from '../../src/lib/clock.ts'
import { authorizationFor, parseChallenges } from '../../src/lib/http-authorization.ts'
import { never, startMachine } from '../support/amt-machine.ts'
import { account } from '../support/amt-peer.ts'
import { serveHttp } from '../support/image-server.ts'

const cim = new CIM.Messages()
const credentials = { username: account.userName, password: account.password }

async function post(url: string, body: string, authorization?: string) {
  const headers = { 'content-type': 'application/soap+xml', ...(authorization && { authorization }) }
  const answer = await fetch(`${url}/wsman`, { method: 'POST', body, headers })
  return {
    status: answer.status,
    challenges: parseChallenges(answer.headers.get('www-authenticate') ?? undefined),
    root: readXml(await answer.text()),
  }
}

describe('who asks a machine', () => {
  const message = cim.BIOSElement.Get()
  const asked = { method: 'POST', target: '/wsman' }

  test('is asked by Digest for a password, and answered when it is right', async () => {
    const { address } = await startMachine()
    const { status, challenges } = await post(address.hostName, message)
    expect(status).toBe(401)
    expect(Object.fromEntries(challenges[0]?.parameters ?? [])).toMatchObject({
      realm: expect.stringMatching(/^Digest:[0-9A-F]{32}$/),
      qop: 'auth',
      algorithm: 'MD5',
      stale: 'false',
      opaque: expect.any(String),
    })
    const answer = await post(address.hostName, message, authorizationFor(challenges, credentials, asked))
    expect(answer.status).toBe(200)
    expect(textAt(answer.root, 'Body', 'CIM_BIOSElement', 'Version')).toBe('1.4.0')
  })

  test.each([
    ['another password', { ...credentials, password: 'secret' }, asked],
    ['another name', { ...credentials, username: 'root' }, asked],
    ['another target', credentials, { ...asked, target: '/' }],
  ])('is not answered with %s, and that is recorded', async (_what, who, what) => {
    const { address, events } = await startMachine()
    const { challenges } = await post(address.hostName, message)
    const refused = await post(address.hostName, message, authorizationFor(challenges, who, what))
    expect(refused.status).toBe(401)
    expect(refused.challenges[0]?.parameters.get('stale')).toBe('false')
    expect(events()).toEqual(['invalidCredentials'])
  })

  test('has to count how often it uses a nonce', async () => {
    const { address, events } = await startMachine()
    const { challenges } = await post(address.hostName, message)
    const use = async (count: number) =>
      post(address.hostName, message, authorizationFor(challenges, credentials, { ...asked, count }))
    expect((await use(1)).status).toBe(200)
    expect((await use(3)).status).toBe(200)
    for (const count of [3, 1]) {
      const refused = await use(count)
      expect(refused.status).toBe(401)
      expect(refused.challenges[0]?.parameters.get('stale')).toBe('true')
    }
    expect(events()).toEqual([])
  })

  test.each([
    [59_999, 200, undefined],
    [60_000, 401, 'true'],
  ])('gets a nonce that %i milliseconds later is answered by %i', async (ms, status, stale) => {
    const { address, clock } = await startMachine({ nonceLifetimeMs: 60_000 })
    const { challenges } = await post(address.hostName, message)
    await clock.advance(ms)
    const late = await post(address.hostName, message, authorizationFor(challenges, credentials, asked))
    expect(late.status).toBe(status)
    expect(late.challenges[0]?.parameters.get('stale')).toBe(stale)
  })

  test('does not notice, as an adapter, that its nonces become too old', async () => {
    const { adapter, address, clock, events } = await startMachine({ nonceLifetimeMs: 1_000 })
    for (let times = 0; times < 3; times++) {
      expect(await adapter.look(address, never)).toMatchObject({ ok: true })
      await clock.advance(5_000)
    }
    expect(events()).toEqual([])
  })
})

test('an adapter goes on with a nonce, counts, and never sends a password as it is', async () => {
  const shown: (string | undefined)[] = []
  const challenge = 'Basic realm="x", Digest realm="r", nonce="n", qop="auth", algorithm=MD5'
  const { origin } = await serveHttp(({ headers }, response) => {
    shown.push(headers.authorization)
    if (headers.authorization === undefined) response.writeHead(401, { 'www-authenticate': challenge }).end()
    else response.end('<Envelope><Body><CIM_BIOSElement/></Body></Envelope>')
  })
  const connections = new Connections({ clock: new VirtualClock(), answerMs: 10_000 })
  onTestFinished(() => connections.close())
  const address = { hostName: origin, ...account }
  for (let times = 0; times < 3; times++) await connections.send(address, cim.BIOSElement.Get(), never)
  expect(shown.map((one) => /^Digest .*nc=(\w+)/.exec(one ?? '')?.[1])).toEqual([
    undefined,
    '00000001',
    '00000002',
    '00000003',
  ])
})

test.each([
  ['Basic realm="x"', 'unauthorized'],
  ['', 'unauthorized'],
])('an adapter tells nobody a password who wants it by %s', async (challenge, kind) => {
  const shown: (string | undefined)[] = []
  const { origin } = await serveHttp(({ headers }, response) => {
    shown.push(headers.authorization)
    response.writeHead(401, { 'www-authenticate': challenge }).end()
  })
  const connections = new Connections({ clock: new VirtualClock(), answerMs: 10_000 })
  onTestFinished(() => connections.close())
  const asked = connections.send({ hostName: origin, ...account }, cim.BIOSElement.Get(), never)
  await expect(asked).rejects.toMatchObject({ problem: { kind } })
  expect(shown).toEqual([undefined])
})

test.each([
  ['a page', 200, '<html><Body/></html> and more', 'unsupported'],
  ['no such page', 404, '<html><body>Not found</body></html>', 'unsupported'],
  ['nobody who takes a POST', 501, '', 'unsupported'],
  ['an error', 500, 'oops', 'unsupported'],
  ['nobody for now', 503, '', 'busy'],
])('an adapter that finds %s at an address says so', async (_what, status, text, kind) => {
  const { origin } = await serveHttp((_request, response) => response.writeHead(status).end(text))
  const connections = new Connections({ clock: new VirtualClock(), answerMs: 10_000 })
  onTestFinished(() => connections.close())
  const asked = connections.send({ hostName: origin, ...account }, cim.BIOSElement.Get(), never)
  await expect(asked).rejects.toMatchObject({ problem: { kind } })
})

test('an adapter does not wait for ever for an answer', async () => {
  const clock = new VirtualClock()
  const { origin, accepted } = await serveHttp(() => {})
  const connections = new Connections({ clock: unmarked(clock), answerMs: 10_000 })
  onTestFinished(() => connections.close())
  const asked = connections.send({ hostName: origin, ...account }, cim.BIOSElement.Get(), never)
  const refused = asked.catch((error: unknown) => error)
  await expect.poll(accepted).toBe(1)
  await clock.advance(10_000)
  expect(await refused).toMatchObject({ problem: { kind: 'unreachable' } })
})

/** A clock that goes on while somebody waits for the network. */
function unmarked(clock: VirtualClock): Clock {
  return {
    now: () => clock.now(),
    sleep: (ms, signal) => clock.sleep(ms, signal),
    schedule: (ms, run) => clock.schedule(ms, run),
    io: (work) => work,
    breathe: () => clock.breathe(),
  }
}

describe('WS-Management', () => {
  test('lists what there is in as many pieces as are asked for', async () => {
    const { management, address } = await startMachine()
    const { send } = new Connections({ clock: new VirtualClock(), answerMs: 10_000 })
    const all = (await management.all(cim.SoftwareIdentity)).map((one) => first(one, 'InstanceID'))
    expect(all).toEqual([
      'Flash',
      'Netstack',
      'AMTApps',
      'AMT',
      'Sku',
      'VendorID',
      'Build Number',
      'Recovery Version',
      'Recovery Build Num',
      'Legacy Mode',
      'AMT FW Core Version',
    ])
    const begun = await send(address, cim.SoftwareIdentity.Enumerate(), never)
    let context = textAt(begun, 'EnumerateResponse', 'EnumerationContext')
    const pages: [count: number, isLast: boolean][] = []
    while (context !== undefined) {
      const few = cim.SoftwareIdentity.Pull(context).replace('MaxElements>999', 'MaxElements>4')
      const pulled = elementAt(await send(address, few, never), 'PullResponse')
      const items = elementAt(pulled, 'Items')?.content ?? []
      pages.push([items.length, elementAt(pulled, 'EndOfSequence') !== undefined])
      context = textAt(pulled, 'EnumerationContext')
    }
    expect(pages).toEqual([
      [4, false],
      [4, false],
      [3, true],
    ])
  })

  test('gets the one instance that is selected', async () => {
    const { management } = await startMachine()
    const of = (value: string) => management.instance(cim.SoftwareIdentity.Get({ name: 'InstanceID', value }))
    expect(first(await of('Build Number'), 'VersionString')).toBe('1932')
    await expect(of('Nothing')).rejects.toThrow('InvalidSelectors')
  })

  const get = cim.BIOSElement.Get()
  test.each([
    ['of a class that there is not', cim.Processor.Get(), 'DestinationUnreachable'],
    ['with a context that there is not', cim.BIOSElement.Pull('1'), 'InvalidEnumerationContext'],
    ['that writes what cannot be written', get.replace('/Get<', '/Put<'), 'ActionNotSupported'],
    ['that deletes what cannot be deleted', get.replace('/Get<', '/Delete<'), 'ActionNotSupported'],
    ['of an action that there is not', get.replace('/Get<', '/Set<'), 'ActionNotSupported'],
    [
      'that has a method without its input',
      cim.BootConfigSetting.ChangeBootOrder().replaceAll('_INPUT', ''),
      'ActionNotSupported',
    ],
    [
      'of a class in another namespace',
      get.replace('cim-schema/2/', 'cim-schema/1/'),
      'DestinationUnreachable',
    ],
    ['that is no XML', '<Envelope>', 'DestinationUnreachable'],
  ])('answers a message %s by a fault', async (_what, document, subcode) => {
    const { management } = await startMachine()
    await expect(management.output(document)).rejects.toThrow(subcode)
  })

  test('takes no message that is too large', async () => {
    const { management } = await startMachine()
    const large = get.replace('<Body>', `<Body>${' '.repeat(65_536)}`)
    await expect(management.output(large)).rejects.toThrow('413')
  })

  test.each([
    ['GET', '/wsman', 405],
    ['POST', '/', 404],
  ])('is spoken by POST, at its path: %s %s is answered by %i', async (method, path, status) => {
    const { address } = await startMachine()
    expect((await fetch(`${address.hostName}${path}`, { method })).status).toBe(status)
  })
})
