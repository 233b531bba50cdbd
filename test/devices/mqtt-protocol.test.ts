import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { actions, description, MAX_DEVICES, refusal } from '../../src/devices/mqtt/actions.ts'
import { attributesOf, covers } from '../../src/devices/mqtt/attributes.ts'
import {
  type Firmware,
  type FirmwareEvent,
  isWorking,
  noFirmware,
  readDownload,
  readUpdate,
  type State,
  states,
  step,
  type UpdateStatus,
  updateStatuses,
} from '../../src/devices/mqtt/firmware.ts'
import { fieldsOf, fromDevice, namesOf, read } from '../../src/devices/mqtt/messages.ts'
import { scoped, unscoped } from '../../src/devices/mqtt/scope.ts'
import {
  type ClientIdentity,
  clientIdOf,
  keyOf,
  parseClientId,
  parseKey,
  parseTopic,
  topicText,
} from '../../src/devices/mqtt/topics.ts'

const uri = 'http://127.0.0.1/image'
const at = (state: State, updateStatus: UpdateStatus): Firmware => ({
  ...noFirmware,
  uri,
  state,
  updateStatus,
})
const pair = ({ state, updateStatus }: Firmware): readonly number[] => [state, updateStatus]
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))

const words: unknown = expect.any(String)

/** Every pair of a state and a status. */
const allPairs = Object.values(states).flatMap((state) =>
  Object.values(updateStatuses).map((status): readonly [State, UpdateStatus] => [state, status]),
)

describe('the state machine of IBM’s firmware actions', () => {
  test('S4-02: a download and an update are two actions, and each has its status', () => {
    expect(actions['firmware/download'].path).not.toBe(actions['firmware/update'].path)
    expect(step(at(0, 0), { kind: 'download-asked' })).toMatchObject({ begins: 'download' })
    expect(step(at(2, 0), { kind: 'update-asked' })).toMatchObject({ begins: 'update' })
  })

  test('S4-03: the state is Idle, Downloading or Downloaded', () => {
    expect(states).toEqual({ idle: 0, downloading: 1, downloaded: 2 })
    expect(attributesOf([{ field: 'mgmt.firmware', value: { state: 3 } }]).ok).toBe(false)
  })

  test('S4-04: the update’s status is one of seven', () => {
    expect(Object.values(updateStatuses)).toEqual([0, 1, 2, 3, 4, 5, 6])
    expect(attributesOf([{ field: 'mgmt.firmware', value: { updateStatus: 7 } }]).ok).toBe(false)
  })

  test.each([
    ['none', 0, 'no device is named'],
    ['one', 1, undefined],
    ['as many as there may be', MAX_DEVICES, undefined],
    ['one more', MAX_DEVICES + 1, 'more than 5000 devices are named'],
  ])('S4-05: a download is asked of at most 5000 devices at once: %s', (_what, count, expected) => {
    const devices = Array.from({ length: count }, (_, at_) => ({
      typeId: `t${at_ % 2}`,
      deviceId: `d${at_}`,
    }))
    expect(refusal('firmware/download', devices)).toBe(expected)
  })

  test('S4-06: what is to be downloaded is described in one write, with a verifier where there is one', () => {
    expect(description({ uri })).toEqual({
      field: 'mgmt.firmware',
      value: { uri, name: '', version: '', verifier: '', state: 0, updateStatus: 0, updatedDateTime: '' },
    })
    expect(description({ uri, verifier: 'abc', version: '2' }).value).toMatchObject({
      verifier: 'abc',
      version: '2',
    })
  })

  test.each(allPairs)('S4-07, S4-08: asked for a download at (%i, %i)', (state, status) => {
    const before = at(state, status)
    const isIdle = state === 0 && status !== 1
    expect(step(before, { kind: 'download-asked' })).toEqual(
      isIdle
        ? { rc: 202, begins: 'download', firmware: at(1, 0) }
        : { rc: 400, message: words, firmware: before },
    )
  })

  test('S4-07: what nobody described is not downloaded', () => {
    expect(step(noFirmware, { kind: 'download-asked' })).toMatchObject({ rc: 400, firmware: noFirmware })
  })

  test.each([2, 3, 6] as const)('S4-09: a download that fails with %i leaves the device idle', (status) => {
    expect(pair(step(at(1, 0), { kind: 'download-failed', status }).firmware)).toEqual([0, status])
  })

  test('S4-10: an image that is not what the verifier says leaves the device idle, with status 4', () => {
    expect(pair(step(at(1, 0), { kind: 'download-failed', status: 4 }).firmware)).toEqual([0, 4])
  })

  test('S4-11: an image that was downloaded and verified is ready: state 2, status 0', () => {
    expect(pair(step(at(1, 0), { kind: 'downloaded' }).firmware)).toEqual([2, 0])
  })

  test('S4-12: an update is asked of devices of one type', () => {
    const one = { typeId: 'a', deviceId: '1' }
    expect(refusal('firmware/update', [one, { typeId: 'a', deviceId: '2' }])).toBeUndefined()
    expect(refusal('firmware/update', [one, { typeId: 'b', deviceId: '1' }])).toMatch(/type/)
    expect(refusal('firmware/download', [one, { typeId: 'b', deviceId: '1' }])).toBeUndefined()
  })

  test.each(allPairs)('S4-14, S4-15: asked for an update at (%i, %i)', (state, status) => {
    const before = at(state, status)
    const isReady = state === 2 && status !== 1
    expect(step(before, { kind: 'update-asked' })).toEqual(
      isReady
        ? { rc: 202, begins: 'update', firmware: at(2, 1) }
        : { rc: 400, message: words, firmware: before },
    )
  })

  test.each([2, 5] as const)('S4-16: an update that fails has the status %i', (status) => {
    expect(pair(step(at(2, 1), { kind: 'update-failed', status }).firmware)).toEqual([0, status])
  })

  test('S4-17: an update that succeeds leaves the device idle, with status 0', () => {
    const { firmware } = step(at(2, 1), { kind: 'installed', at: '2026-01-01T00:00:00Z' })
    expect(firmware).toMatchObject({ state: 0, updateStatus: 0, updatedDateTime: '2026-01-01T00:00:00Z' })
  })

  test('S4-18: all that a write says is set together, and nothing while work is under way', () => {
    const value = { uri, version: '2', name: 'n', verifier: 'v', state: 0, updateStatus: 0 } as const
    expect(step(at(2, 5), { kind: 'described', value })).toMatchObject({ rc: 204, firmware: value })
    for (const [state, status] of allPairs.filter(([one, other]) => isWorking(at(one, other)))) {
      const before = at(state, status)
      expect(step(before, { kind: 'described', value })).toMatchObject({ rc: 409, firmware: before })
    }
  })

  test('work that ends when there is none changes nothing', () => {
    for (const event of [
      { kind: 'downloaded' },
      { kind: 'download-failed', status: 2 },
      { kind: 'installed', at: '' },
      { kind: 'update-failed', status: 5 },
    ] as const)
      expect(step(at(0, 3), event).firmware).toEqual(at(0, 3))
  })

  test('whatever is asked in whatever order, nothing begins while something is under way', () => {
    const events = fc.constantFrom<FirmwareEvent>(
      { kind: 'described', value: { uri, state: 0, updateStatus: 0 } },
      { kind: 'download-asked' },
      { kind: 'downloaded' },
      { kind: 'download-failed', status: 3 },
      { kind: 'update-asked' },
      { kind: 'installed', at: '' },
      { kind: 'update-failed', status: 5 },
    )
    fc.assert(
      fc.property(fc.array(events, { maxLength: 40 }), (asked) => {
        let firmware = noFirmware
        let underWay: string | undefined
        for (const event of asked) {
          const isEnd = /^download(ed|-failed)$/.test(event.kind) ? 'download' : 'update'
          const ends = /^(downloaded|installed|.*-failed)$/.test(event.kind)
          if (ends && underWay !== isEnd) continue // work ends only that began
          const next = step(firmware, event)
          if (ends) underWay = undefined
          const isTwice = underWay !== undefined && next.begins !== undefined
          expect(isTwice).toBe(false)
          underWay = next.begins ?? underWay
          firmware = next.firmware
          expect(isWorking(firmware)).toBe(underWay !== undefined)
        }
      }),
    )
  })
})

describe('an observer', () => {
  test.each<readonly [State, UpdateStatus, unknown, unknown]>([
    [0, 0, { kind: 'waiting' }, { kind: 'done' }],
    [1, 0, { kind: 'working' }, { kind: 'waiting' }],
    [2, 0, { kind: 'done' }, { kind: 'waiting' }],
    [2, 1, { kind: 'done' }, { kind: 'working' }],
    [0, 1, { kind: 'waiting' }, { kind: 'working' }],
    [0, 2, { kind: 'failed', status: 2 }, { kind: 'failed', status: 2 }],
    [0, 3, { kind: 'failed', status: 3 }, { kind: 'failed', status: 3 }],
    [0, 4, { kind: 'failed', status: 4 }, { kind: 'failed', status: 4 }],
    [2, 5, { kind: 'failed', status: 5 }, { kind: 'failed', status: 5 }],
    [0, 6, { kind: 'failed', status: 6 }, { kind: 'failed', status: 6 }],
  ])('reads (%i, %i) of a download, and of an update', (state, updateStatus, download, update) => {
    expect(readDownload({ state, updateStatus })).toEqual(download)
    expect(readUpdate({ state, updateStatus })).toEqual(update)
  })
})

describe('messages', () => {
  test('S4-01: what IBM’s SDK says of a device when it becomes managed is taken, its nulls left out', () => {
    const said = read.manage(
      json({
        d: {
          lifetime: 3600,
          supports: { deviceActions: true, firmwareActions: true, 'example-dme-actions-v1': true },
          deviceInfo: { serialNumber: null, fwVersion: '1.0', model: null },
          metadata: {},
        },
        reqId: 'a',
      }),
    )
    expect(said).toMatchObject({ ok: true, value: { reqId: 'a', d: { deviceInfo: { fwVersion: '1.0' } } } })
    const info = attributesOf([{ field: 'deviceInfo', value: { serialNumber: null, fwVersion: '1.0' } }])
    expect(info).toEqual({ ok: true, value: { info: { fwVersion: '1.0' } } })
  })

  test.each([
    ['nothing', {}, true],
    ['no members', { reqId: 'a', d: {} }, true],
    ['a lifetime that is no number', { d: { lifetime: 'long' } }, false],
    ['a negative lifetime', { d: { lifetime: -1 } }, false],
    ['support that is no boolean', { d: { supports: { firmwareActions: 'yes' } } }, false],
    ['a list', [], false],
  ])('a device becomes managed with %s: %j', (_what, message, isTaken) => {
    expect(read.manage(json(message)).ok).toBe(isTaken)
  })

  test('what is no JSON, or longer than the platform takes, is told', () => {
    expect(read.any(Buffer.from('{'))).toEqual({ ok: false, problem: 'it is no JSON' })
    expect(read.any(json({ d: { long: 'x'.repeat(131_072) } }))).toMatchObject({ ok: false })
    expect(read.any(Buffer.alloc(0))).toEqual({ ok: true, value: {} })
  })

  test.each([
    ['many fields', { d: { fields: [{ field: 'mgmt.firmware', value: { state: 1 } }] } }],
    ['one field', { d: { field: 'mgmt.firmware', value: { state: 1 } }, reqId: 'a' }],
    ['one member', { d: { field: 'mgmt.firmware.state', value: 1 } }],
  ])('a notification of %s says the same', (_form, message) => {
    const said = read.notify(json(message))
    if (!said.ok) throw new Error(said.problem)
    expect(attributesOf(fieldsOf(said.value))).toEqual({ ok: true, value: { firmware: { state: 1 } } })
  })

  test('what is to be observed is named either way', () => {
    for (const fields of [['mgmt.firmware'], [{ field: 'mgmt.firmware' }]]) {
      const said = read.watch(json({ d: { fields } }))
      expect(said.ok && namesOf(said.value)).toEqual(['mgmt.firmware'])
    }
  })

  test('a wrong value names its attribute', () => {
    expect(attributesOf([{ field: 'mgmt.firmware', value: 'done' }])).toEqual({
      ok: false,
      problem: 'mgmt.firmware',
    })
    expect(attributesOf([{ field: 'colour', value: 'red' }])).toEqual({ ok: true, value: {} })
  })

  test('who observes an attribute hears of its members', () => {
    expect(covers('mgmt.firmware', 'mgmt.firmware.state')).toBe(true)
    expect(covers('deviceInfo.fwVersion', 'deviceInfo')).toBe(true)
    expect(covers('mgmt.firmware', 'mgmt.firmwareX')).toBe(false)
  })
})

describe('names and topics', () => {
  const [typeId, deviceId] = ['pump', 'p-1']
  const id = { typeId, deviceId }

  test.each([
    ['d:org:pump:p-1', { kind: 'device', org: 'org', ...id }],
    ['g:org:pump:p-1', { kind: 'gateway', org: 'org', ...id }],
    ['a:org:app', { kind: 'application', org: 'org', appId: 'app' }],
    ['A:org:app:2', { kind: 'application', org: 'org', appId: 'app' }],
    ['d:org:pump', undefined],
    ['d:org:pump:p:1', undefined],
    ['d:org:pu mp:1', undefined],
    ['d:org::1', undefined],
    ['d:org:+:1', undefined],
    ['x:org:pump:1', undefined],
    ['A:org:app', undefined],
    ['a:org:app:2', undefined],
    ['', undefined],
  ])('the client %s', (clientId, expected) => {
    expect(parseClientId(clientId)).toEqual(expected)
  })

  test('what is put together is taken apart again', () => {
    expect(parseClientId(clientIdOf('gateway', 'org', id))).toMatchObject({ kind: 'gateway', ...id })
    expect(parseKey(keyOf(id))).toEqual(id)
    for (const device of [undefined, id]) {
      const topic = { root: 'iotdevice-1', device, path: fromDevice.manage } as const
      expect(parseTopic(topicText(topic))).toEqual(topic)
    }
  })

  test.each(['pump', 'pump/', '/p', 'pump/p/1', 'pump/+', 'pu#mp/1', ''])('“%s” names no device', (key) => {
    expect(parseKey(key)).toBeUndefined()
  })

  const device: ClientIdentity = { kind: 'device', org: 'org', ...id }
  const gateway: ClientIdentity = { ...device, kind: 'gateway' }
  const application: ClientIdentity = { kind: 'application', org: 'org', appId: 'app' }
  const own = 'type/pump/id/p-1'

  test.each<readonly [ClientIdentity, 'publish' | 'subscribe', string, string | undefined]>([
    [device, 'publish', 'iotdevice-1/notify', `iotdevice-1/${own}/notify`],
    [device, 'publish', `iotdevice-1/${own}/notify`, `iotdevice-1/${own}/notify`],
    [device, 'publish', 'iotdevice-1/type/pump/id/p-2/notify', undefined],
    [device, 'publish', 'iotdm-1/response', undefined],
    [device, 'publish', 'iot-2/evt/status/fmt/json', `iot-2/${own}/evt/status/fmt/json`],
    [device, 'publish', 'elsewhere', undefined],
    [device, 'subscribe', 'iotdm-1/#', `iotdm-1/${own}/#`],
    [device, 'subscribe', 'iotdm-1/mgmt/custom/#', `iotdm-1/${own}/mgmt/custom/#`],
    [device, 'subscribe', 'iot-2/cmd/+/fmt/+', `iot-2/${own}/cmd/+/fmt/+`],
    [device, 'subscribe', 'iotdm-1/type/+/id/+/#', undefined],
    [device, 'subscribe', 'iotdevice-1/#', undefined],
    [device, 'subscribe', '#', undefined],
    [gateway, 'publish', 'iotdevice-1/type/pump/id/p-2/notify', 'iotdevice-1/type/pump/id/p-2/notify'],
    [gateway, 'publish', 'iotdevice-1/notify', `iotdevice-1/${own}/notify`],
    [gateway, 'subscribe', 'iotdm-1/type/+/id/+/#', 'iotdm-1/type/+/id/+/#'],
    [application, 'subscribe', 'iot-2/type/+/id/+/evt/#', 'iot-2/type/+/id/+/evt/#'],
    [application, 'subscribe', 'iotdevice-1/#', undefined],
    [application, 'publish', 'iotdm-1/response', undefined],
  ])('%j may %s %s as %s', (who, deed, topic, expected) => {
    expect(scoped(who, deed, topic)).toBe(expected)
    // What a broker kept is given a second time.
    expect(scoped(who, deed, expected ?? topic)).toBe(expected)
  })

  test('a device sees its own topics without its name, a gateway with it', () => {
    expect(unscoped(device, `iotdm-1/${own}/response`)).toBe('iotdm-1/response')
    expect(unscoped(device, 'iotdm-1/response')).toBe('iotdm-1/response')
    expect(unscoped(gateway, `iotdm-1/${own}/response`)).toBe(`iotdm-1/${own}/response`)
  })
})
