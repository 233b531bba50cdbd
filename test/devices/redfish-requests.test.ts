import { describe, expect, test } from 'vitest'
import type { FlashResult } from '../../src/devices/flasher.ts'
import { stages } from '../contracts/device-adapter.ts'
import {
  ITEM,
  JOB,
  MONITOR,
  RESET,
  RESTART,
  type Script,
  TASK,
  V1,
  accepted,
  good,
  inventory,
  job,
  link,
  resetRequired,
  said,
  startDevice,
  successful,
  task,
  update,
} from '../support/redfish-script.ts'
import type { Reply } from '../support/scripted-service.ts'

describe('a device gets', () => {
  test('the image as it came, with the length that it has', async () => {
    const { run, pushed } = await startDevice({ [`GET ${MONITOR}`]: { status: 204 } })
    await run()
    const [push] = pushed()
    expect(Number(push?.headers['content-length'])).toBe(push?.body.length)
    expect(push?.body).toContain(Buffer.alloc(50_000, 7).toString('latin1'))
    expect(push?.body).toContain('filename="update.bin"')
  })

  test.each([
    ['UpdateService.v1_10_0', {}],
    ['UpdateService.v1_11_0', { ForceUpdate: true }],
  ])('of %s only the parameters that it can know', async (type, more) => {
    const service = { '@odata.type': `#${type}.UpdateService`, MultipartHttpPushUri: '/push' }
    const { run, pushed } = await startDevice({ [`GET ${V1}/UpdateService`]: { body: service } })
    await run()
    expect(parametersOf(pushed()[0]?.body)).toEqual({ Targets: [ITEM], ...more })
  })

  test.each([
    ['and the reset that it asks for', '2', [resetRequired], [`POST ${RESET}`]],
    ['of a version that only it knows', '', [], []],
  ])(
    'the image for its system, where it has no inventory and no push, %s',
    async (_what, version, messages, resets) => {
      const system = `${V1}/Systems/S`
      const simple = '/simple'
      const bios = (BiosVersion: string): Reply => ({
        body: { ...link(system), Id: 'S', BiosVersion, Status: { Conditions: [said('Fan.1.0.Slow')] } },
      })
      const {
        adapter,
        job: one,
        requests,
      } = await startDevice(
        {
          [`GET ${V1}/UpdateService`]: {
            body: {
              HttpPushUri: '/push',
              Actions: { '#UpdateService.SimpleUpdate': { target: simple } },
            },
          },
          'GET /push': { status: 404 },
          [`POST ${simple}`]: { status: 204, headers: { Location: TASK } },
          [`GET ${TASK}`]: [
            task(messages.length > 0 ? 'Pending' : 'Running', ...messages),
            task('Completed'),
          ],
          [`GET ${system}`]: [bios('1'), bios('2')],
        },
        { publish: () => Promise.resolve({ uri: 'http://images/2', done: () => {} }) },
      )
      const asked = { ...one, version, firmware: { ...one.firmware, nativeId: system } }
      const results: FlashResult[] = []
      for (const stage of stages) results.push(await adapter[stage](asked))
      expect(results).toEqual(good)
      const posts = requests.filter(({ line }) => line.startsWith('POST '))
      expect(posts.map(({ line }) => line)).toEqual([`POST ${simple}`, ...resets])
      expect(JSON.parse(posts[0]?.body ?? '')).toEqual({ ImageURI: 'http://images/2', Targets: [system] })
    },
  )

  test('no parameter that it has refused, and the whole image again', async () => {
    const service = {
      '@odata.type': '#UpdateService.v1_14_0.UpdateService',
      MultipartHttpPushUri: '/push',
      'MultipartHttpPushUri@Redfish.OperationApplyTimeSupport': { SupportedValues: ['Immediate', 'OnReset'] },
    }
    const refuse = (name: string): Reply => ({
      status: 400,
      body: { error: { '@Message.ExtendedInfo': [said('Base.1.8.PropertyUnknown', name)] } },
    })
    const {
      run,
      pushed,
      job: one,
    } = await startDevice({
      [`GET ${V1}/UpdateService`]: { body: service },
      'POST /push': [refuse('ForceUpdate'), refuse('Targets'), accepted],
      [`GET ${MONITOR}`]: { status: 204 },
    })
    expect(await run()).toEqual(good)
    expect(one.shares).toEqual(one.shares.toSorted((a, b) => a - b))
    const immediate = { '@Redfish.OperationApplyTime': 'Immediate' }
    expect(pushed().map(({ body }) => parametersOf(body))).toEqual([
      { Targets: [ITEM], ForceUpdate: true, ...immediate },
      { Targets: [ITEM], ...immediate },
      immediate,
    ])
    for (const { body } of pushed()) expect(body).toContain(Buffer.alloc(50_000, 7).toString('latin1'))
  })

  test('the image when it is not busy any more', async () => {
    const { run, pushed, pauses } = await startDevice({
      'POST /push': [{ status: 503, headers: { 'Retry-After': '9' } }, accepted],
      [`GET ${MONITOR}`]: { status: 204 },
    })
    expect(await run()).toEqual(good)
    expect(pushed()).toHaveLength(2)
    expect(pauses).toContain(9_000)
  })

  test('the reset that it asks for as often as it does, and no other', async () => {
    const waiting = [update('AwaitToActivate'), resetRequired]
    const { run, times, requests } = await startDevice({
      'POST /push': { ...task('New'), status: 202 },
      [`GET ${TASK}`]: [
        task('Pending', ...waiting),
        task('Pending', ...waiting),
        task('Pending', ...waiting, ...waiting),
        task('Completed', ...waiting, ...waiting, successful),
      ],
    })
    expect(await run()).toEqual(good)
    expect(times(`POST ${RESET}`)).toBe(2)
    const bodies = requests.filter(({ line }) => line === `POST ${RESET}`).map(({ body }) => body)
    expect(bodies).toEqual(Array(2).fill('{"ResetType":"ForceRestart"}'))
  })

  test.each([
    [
      'a job that waits for somebody and does not say for what',
      [job('UserIntervention'), job('UserIntervention'), job('Completed')],
      {},
    ],
    ['a job that is done, while the item needs a reset', [job('Completed')], { ResetRequiredOnUpdate: true }],
  ])('the gentlest reset for %s', async (_what, jobs, more) => {
    const { run, requests } = await startDevice({
      'POST /push': { ...job('New'), status: 202 },
      [`GET ${JOB}`]: jobs,
      [`GET ${ITEM}`]: [inventory('1', more), inventory('2', more)],
    })
    expect(await run()).toEqual(good)
    const resets = requests.filter(({ line }) => line === `POST ${RESET}`)
    expect(resets.map(({ body }) => body)).toEqual(['{"ResetType":"GracefulRestart"}'])
  })

  test('the reset of its manager first, which interrupts what any other has set in motion', async () => {
    const both = [resetRequired, said('Base.1.8.ResetRequired', RESTART, 'ForceRestart')]
    const { run, requests } = await startDevice({
      'POST /push': { ...task('New'), status: 202 },
      [`GET ${TASK}`]: [task('Pending', ...both), task('Completed', ...both, successful)],
    })
    expect(await run()).toEqual(good)
    const resets = requests.map(({ line }) => line).filter((line) => line.endsWith('.Reset'))
    expect(resets).toEqual([`POST ${RESTART}`, `POST ${RESET}`])
  })

  test('to be switched on where it is off and cannot be restarted', async () => {
    const { run, requests } = await startDevice({
      'POST /push': { ...task('New'), status: 202 },
      [`GET ${TASK}`]: [task('Pending', resetRequired), task('Completed', resetRequired, successful)],
      [`GET ${V1}/Systems/S`]: { body: { PowerState: 'Off' } },
      [`POST ${RESET}`]: [{ status: 409 }, { status: 204 }],
    })
    expect(await run()).toEqual(good)
    const resets = requests.filter(({ line }) => line === `POST ${RESET}`)
    expect(resets.map(({ body }) => body)).toEqual(['{"ResetType":"ForceRestart"}', '{"ResetType":"On"}'])
  })

  test('no reset of ours where it resets itself', async () => {
    const { run, times } = await startDevice({
      'POST /push': { ...task('New'), status: 202 },
      [`GET ${TASK}`]: [task('Running'), { ending: 'lost' }, { status: 404 }],
      [`GET ${ITEM}`]: [inventory('1', { ResetRequiredOnUpdate: true }), inventory('2')],
    })
    expect(await run()).toEqual(good)
    expect(times(`POST ${RESET}`)).toBe(0)
  })
})

describe('a reset', () => {
  const ask = (script: Script, of: 'system' | 'manager', type: string) =>
    startDevice(script).then(async ({ adapter, job: { device }, times }) => ({
      result: await adapter.reset(device, { of, type }, new AbortController().signal),
      times,
    }))

  test('is of the system or of the manager', async () => {
    const { result, times } = await ask({}, 'manager', 'ForceRestart')
    expect(result).toEqual({ ok: true })
    expect([times(`POST ${RESET}`), times(`POST ${RESTART}`)]).toEqual([0, 1])
  })

  test('of a type that is not offered is not asked for', async () => {
    const { result, times } = await ask({}, 'manager', 'GracefulRestart')
    expect(result).toMatchObject({ problem: { kind: 'unsupported' } })
    expect(times(`POST ${RESTART}`)).toBe(0)
  })

  test.each([
    [{ status: 400 }, 'failed'],
    [{ status: 403 }, 'unauthorized'],
    [{ status: 503 }, 'busy'],
  ] as const)('that is refused (%j) is told so', async (reply, kind) => {
    const { result } = await ask({ [`POST ${RESET}`]: reply }, 'system', 'On')
    expect(result).toMatchObject({ problem: { kind } })
  })

  test('that a manager is gone with before it answers is one', async () => {
    const { result } = await ask({ [`POST ${RESTART}`]: { ending: 'lost' } }, 'manager', 'ForceRestart')
    expect(result).toEqual({ ok: true })
  })
})

function parametersOf(body = ''): unknown {
  return JSON.parse(/\{[^\r]*\}/.exec(body)?.[0] ?? 'null')
}
